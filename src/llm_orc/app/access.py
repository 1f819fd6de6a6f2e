"""Which way in each agent's models use, and who pays: decided, or refused, before anything is spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.agents.llm import ModelChoice
from llm_orc.app.discovery import find_best
from llm_orc.auth.access import Access, Billing
from llm_orc.auth.apply import ApiKeyHeader, Authoriser, NoCredential
from llm_orc.auth.source import find_api_key
from llm_orc.errors import LlmOrcError, MeteredNotAllowed, NotLoggedIn, NotTrusted, SettingsError
from llm_orc.providers.catalog import billing_of, endpoint_of, find_provider
from llm_orc.providers.endpoint import Endpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.auth.source import FoundKey
    from llm_orc.net.transport import Transport
    from llm_orc.providers.catalog import ProviderSpec
    from llm_orc.sandbox.server import Sandbox
    from llm_orc.settings.model import Settings


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """A choice with nothing left open: where it goes, with what, and who pays."""

    choice: ModelChoice
    model: str
    endpoint: Endpoint
    authoriser: Authoriser
    access: Access


@dataclass(frozen=True, slots=True)
class AgentAccess:
    """What one agent will use, and the fallbacks that may take over, in order."""

    agent: str
    profile: str | None
    model: str
    access: Access
    fallbacks: tuple[tuple[str, Access], ...] = ()


@dataclass(frozen=True, slots=True)
class AccessPlan:
    """What a run will use, for showing; `notices` are things that its person should know."""

    agents: tuple[AgentAccess, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadyModels:
    by_agent: Mapping[str, tuple[ReadyModel, ...]]
    notices: tuple[str, ...]

    @property
    def plan(self) -> AccessPlan:
        return AccessPlan(
            tuple(
                AgentAccess(
                    agent,
                    models[0].choice.profile,
                    models[0].model,
                    models[0].access,
                    tuple((m.model, m.access) for m in models[1:]),
                )
                for agent, models in self.by_agent.items()
            ),
            self.notices,
        )


class AccessFinder:
    """Finds the way in for choices, each distinct one once."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        http: Transport,
        *,
        allow_metered: bool = False,
        sandbox: Sandbox | None = None,
    ) -> None:
        self._settings, self._environ, self._http = settings, environ, http
        self._allow_metered, self._sandbox = allow_metered, sandbox
        self._known: dict[tuple[str | None, ...], ReadyModel | LlmOrcError] = {}

    async def find_all(self, choices: Mapping[str, Sequence[ModelChoice]]) -> ReadyModels:
        """Return what each agent can use.

        A fallback that can't be used is left out, with a notice. Where an agent's own choice can't be, the error
        names every agent concerned: `NotLoggedIn`, `MeteredNotAllowed`, `AccessNotSupported`, `NotTrusted`,
        `SettingsError`.
        """
        ready: dict[str, tuple[ReadyModel, ...]] = {}
        failed: dict[str, LlmOrcError] = {}
        notices: dict[str, None] = {}
        for agent, wanted in choices.items():
            try:
                found = [await self._find(wanted[0])]
            except LlmOrcError as e:
                failed[agent] = e
                continue
            for fallback in wanted[1:]:
                try:
                    found.append(await self._find(fallback))
                except LlmOrcError as e:
                    notices[f"The fallback `{fallback.profile}` is left out: {e.message}"] = None
            ready[agent] = tuple(found)
        if failed:
            raise _joined(failed)
        return ReadyModels(ready, tuple(notices))

    async def _find(self, choice: ModelChoice) -> ReadyModel:
        key = (
            choice.provider,
            choice.model,
            choice.named_by,
            choice.profile,
            choice.base_url,
            choice.api_key_env,
            choice.api_key_file,
        )
        known = self._known.get(key)
        if known is None:
            try:
                known = await self._resolve(choice)
            except LlmOrcError as e:
                known = e
            self._known[key] = known
        if isinstance(known, LlmOrcError):
            raise known
        provider, model = known.choice.provider, known.choice.model
        return replace(known, choice=replace(choice, provider=provider, model=model))

    async def _resolve(self, choice: ModelChoice) -> ReadyModel:
        if self._sandbox is not None:
            return self._rehearsed(choice, self._sandbox)
        if choice.provider is None:
            best = await find_best(self._settings, self._environ, self._http)
            choice = replace(choice, provider=best.provider, model=choice.model or best.model)
        assert choice.provider is not None
        self._refuse_withheld(choice)
        spec = find_provider(choice.provider, self._settings.providers)
        endpoint_of(spec, self._settings.providers, choice.base_url)  # a way that is closed is named first
        model = choice.model or spec.default_model
        if model is None:
            raise SettingsError(
                f"provider `{spec.name}` needs a model to be named",
                hint=f"Add `model:` beside it, or `providers.{spec.name}.default_model` to config.yaml.",
            )
        found = self._key(spec, choice)
        endpoint = endpoint_of(spec, self._settings.providers, choice.base_url, has_credential=found is not None)
        access = Access(
            provider=spec.name,
            method="none" if found is None else "api-key",
            billing=billing_of(spec, endpoint),
            source="no credential needed" if found is None else found.source,
            endpoint=endpoint.origin,
        )
        self._refuse_unwanted_bill(choice, access)
        return ReadyModel(
            choice=replace(choice, model=model),
            model=model,
            endpoint=endpoint,
            authoriser=_authoriser(spec, endpoint, found),
            access=access,
        )

    def _key(self, spec: ProviderSpec, choice: ModelChoice) -> FoundKey | None:
        """The key for this endpoint. A profile's own endpoint gets only a key that the profile itself names."""
        if spec.credential == "none":
            return None
        own = self._settings.providers.get(spec.name)
        if choice.api_key_env or choice.api_key_file:
            file = Path(choice.api_key_file) if choice.api_key_file else None
            return find_api_key(self._environ, usual=(), variable=choice.api_key_env, file=file)
        if choice.base_url is not None and not _same_origin(choice.base_url, spec):
            if spec.credential == "required":
                raise NotLoggedIn(
                    f"profile `{choice.profile}` sends `{spec.name}` to `{choice.base_url}` and names no key",
                    hint=f"Add `api_key_env: VARIABLE` or `api_key_file: PATH` to the profile `{choice.profile}`.",
                )
            return None
        found = find_api_key(
            self._environ,
            usual=spec.api_key_env,
            variable=own.api_key_env if own else None,
            file=own.api_key_file if own else None,
        )
        if found is None and spec.credential == "required":
            variables = " or ".join(spec.api_key_env) or "its API key"
            raise NotLoggedIn(
                f"there is no API key for `{spec.name}`",
                hint=f"Set {variables}"
                + (f" (get a key at {spec.keys_at})" if spec.keys_at else "")
                + ", see what else there is with `llm-orc setup`, or rehearse for nothing with `--rehearse`.",
            )
        return found

    def _rehearsed(self, choice: ModelChoice, sandbox: Sandbox) -> ReadyModel:
        spec = find_provider(choice.provider or "openai-compatible", self._settings.providers)
        model = choice.model or spec.default_model or "sandbox"
        name = choice.provider or "sandbox"
        endpoint = Endpoint(name, spec.dialect, sandbox.base_url(spec.dialect), sandbox.origin)
        access = Access(name, "sandbox", Billing.LOCAL, "sandbox: canned answers, no model", sandbox.origin)
        return ReadyModel(replace(choice, model=model), model, endpoint, NoCredential(sandbox.origin), access)

    def _refuse_withheld(self, choice: ModelChoice) -> None:
        """What an untrusted project wanted to change must not go another way in silence."""
        prefixes = (f"providers.{choice.provider}.", f"model_profiles.{choice.profile}.")
        for withheld in self._settings.withheld:
            if withheld.key.startswith(prefixes):
                raise NotTrusted(
                    f"`{withheld.key}` is set by {withheld.origin}, in a directory that you have not trusted",
                    hint="Read what it sets and allow it with: llm-orc trust",
                )

    def _refuse_unwanted_bill(self, choice: ModelChoice, access: Access) -> None:
        if access.billing is not Billing.METERED or self._allow_metered or choice.named_by in {"ensemble", "user"}:
            return
        if choice.named_by == "project":
            raise MeteredNotAllowed(
                f"profile `{choice.profile}` of a directory that you have not trusted would bill"
                f" `{access.provider}` per token ({access.source})",
                hint="Allow the directory with `llm-orc trust`, or this run with `--allow-metered`.",
            )
        raise MeteredNotAllowed(
            f"the best access found is `{access.provider}`, billed per token ({access.source})",
            hint="Allow it for this run with `--allow-metered`, or for good by naming it in config.yaml:"
            f" model_profiles.default.provider: {access.provider}. `--rehearse` costs nothing;"
            " `llm-orc setup` shows what else there is.",
        )


def _authoriser(spec: ProviderSpec, endpoint: Endpoint, found: FoundKey | None) -> Authoriser:
    if found is None:
        return NoCredential(endpoint.origin)
    return ApiKeyHeader(endpoint.origin, spec.key_header, found.secret, spec.key_scheme)


def _same_origin(base_url: str, spec: ProviderSpec) -> bool:
    return spec.base_url is not None and endpoint_of(spec, {}, base_url).origin == endpoint_of(spec, {}).origin


def _joined(failed: Mapping[str, LlmOrcError]) -> LlmOrcError:
    """One error for all agents that can't be reached; agents with the same cause share a line."""
    causes: dict[str, tuple[LlmOrcError, list[str]]] = {}
    for agent, error in failed.items():
        causes.setdefault(error.message, (error, []))[1].append(agent)
    lines = [f"{message} ({_agents(agents)})" for message, (_, agents) in causes.items()]
    first = next(iter(failed.values()))
    return type(first)("\n".join(lines), hint=first.hint)


def _agents(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:4])
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"agent{'s' if len(names) > 1 else ''} {shown}{more}"
