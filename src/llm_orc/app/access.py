"""Which way in each agent's models use, and who pays: decided, or refused, before anything is spent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llm_orc.agents.choice import ModelChoice
from llm_orc.app.discovery import find_best
from llm_orc.auth.access import Access, Billing
from llm_orc.auth.apply import Authoriser, NoCredential
from llm_orc.errors import LlmOrcError, MeteredNotAllowed, NotTrusted, SettingsError
from llm_orc.providers.catalog import billing_of, endpoint_of, find_provider
from llm_orc.providers.endpoint import Endpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.app.credentials import CredentialFinder, Held
    from llm_orc.net.transport import Transport
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
    required_system_prompt: str | None = None


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
        credentials: CredentialFinder,
        *,
        allow_metered: bool = False,
        sandbox: Sandbox | None = None,
    ) -> None:
        self._settings, self._environ, self._http = settings, environ, http
        self._credentials = credentials
        self._allow_metered, self._sandbox = allow_metered, sandbox
        self._notices: dict[str, None] = {}
        self._known: dict[tuple[str | None, ...], ReadyModel | LlmOrcError] = {}

    async def find_all(self, choices: Mapping[str, Sequence[ModelChoice]]) -> ReadyModels:
        """Return what each agent can use.

        A fallback that can't be used is left out, with a notice. Where an agent's own choice can't be, the error
        names every agent concerned: `NotLoggedIn`, `MeteredNotAllowed`, `AccessNotSupported`, `NotTrusted`,
        `SettingsError`.
        """
        ready: dict[str, tuple[ReadyModel, ...]] = {}
        failed: dict[str, LlmOrcError] = {}
        notices = self._notices = {}
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
            stored = await asyncio.to_thread(self._credentials.stored)
            best = await find_best(self._settings, self._environ, self._http, stored)
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
        held = await asyncio.to_thread(self._credentials.find, spec, choice)
        endpoint = endpoint_of(
            spec, self._settings.providers, choice.base_url, has_credential=held.method != "none"
        )
        access = Access(
            provider=spec.name,
            method=held.method,
            billing=held.billing or billing_of(spec, endpoint),
            source=held.source,
            endpoint=endpoint.origin,
        )
        self._refuse_unwanted_bill(choice, access, is_set_up=held.entry is not None)
        if held.notice is not None:
            self._notices[held.notice] = None
        return ReadyModel(
            choice=replace(choice, model=model),
            model=model,
            endpoint=endpoint,
            authoriser=self._credentials.authoriser(held, spec, endpoint.origin),
            access=access,
            required_system_prompt=self._required_system_prompt(held),
        )

    def _required_system_prompt(self, held: Held) -> str | None:
        own = self._settings.providers.get(held.entry.provider) if held.entry and held.method == "oauth" else None
        return own.oauth.required_system_prompt if own and own.oauth else None

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

    def _refuse_unwanted_bill(self, choice: ModelChoice, access: Access, *, is_set_up: bool) -> None:
        """Naming a provider, or having set it up with `auth add`, is a yes; being found is not."""
        if access.billing is not Billing.METERED or self._allow_metered or choice.named_by in {"ensemble", "user"}:
            return
        if is_set_up and choice.named_by == "nobody":
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


def _joined(failed: Mapping[str, LlmOrcError]) -> LlmOrcError:
    """One error for all agents that can't be reached; agents with the same cause share a line."""
    causes: dict[str, tuple[LlmOrcError, list[str]]] = {}
    for agent, error in failed.items():
        causes.setdefault(error.message, (error, []))[1].append(agent)
    lines = [f"{message} ({_agents(agents)})" for message, (_, agents) in causes.items()]
    joined = copy(next(iter(failed.values())))
    joined.message = "\n".join(lines)
    joined.args = (joined.message,)
    return joined


def _agents(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:4])
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"agent{'s' if len(names) > 1 else ''} {shown}{more}"
