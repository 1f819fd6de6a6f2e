"""Find the way in for every agent's models: decided, or refused, before anything is spent."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llm_orc.agents.options import extras_notice, options_error, refused_options
from llm_orc.app.access import CliConnection, Considered, HttpConnection, ReadyModel, ReadyModels
from llm_orc.app.credentials import credential_finder, in_words, what_to_do
from llm_orc.app.discovery import find_best
from llm_orc.app.methods import Option, options_of
from llm_orc.auth.access import Access, Billing
from llm_orc.auth.apply import NoCredential
from llm_orc.errors import AccessNotSupported, AuthError, LlmOrcError, MeteredNotAllowed, NotTrusted, SettingsError
from llm_orc.providers.catalog import billing_of, endpoint_of, find_provider
from llm_orc.providers.endpoint import Endpoint, check_base_url
from llm_orc.providers.request_options import ALL_DIALECTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from llm_orc.agents.choice import ModelChoice
    from llm_orc.app.credentials import CredentialFinder, Held
    from llm_orc.app.wiring import App
    from llm_orc.net.transport import Transport
    from llm_orc.providers.catalog import ProviderSpec
    from llm_orc.providers.official_cli.official import OfficialClis
    from llm_orc.providers.official_cli.state import CliState
    from llm_orc.sandbox.server import Sandbox


@asynccontextmanager
async def access_finder(
    app: App, http: Transport, *, allow_metered: bool = False, sandbox: Sandbox | None = None
) -> AsyncIterator[AccessFinder]:
    """The finder of one run or command. Leaving it ends what it started: exchanges of tokens, official CLIs."""
    async with AsyncExitStack() as stack:
        credentials = await stack.enter_async_context(credential_finder(app, http))
        yield AccessFinder(app, http, credentials, stack, allow_metered=allow_metered, sandbox=sandbox)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one choice: the ways that can be used, and what was looked at."""

    ready: tuple[ReadyModel, ...]
    considered: tuple[Considered, ...]
    failures: tuple[LlmOrcError, ...]


class AccessFinder:
    """Finds the ways in for choices, each distinct one once."""

    def __init__(
        self,
        app: App,
        http: Transport,
        credentials: CredentialFinder,
        stack: AsyncExitStack,
        *,
        allow_metered: bool = False,
        sandbox: Sandbox | None = None,
    ) -> None:
        self._app, self._settings, self._http = app, app.settings, http
        self._credentials, self._stack = credentials, stack
        self._allow_metered, self._sandbox = allow_metered, sandbox
        self._notices: dict[str, None] = {}
        self._known: dict[tuple[str | None, ...], _Outcome] = {}
        self._clis: OfficialClis | None = None

    async def find_all(self, choices: Mapping[str, Sequence[ModelChoice]]) -> ReadyModels:
        """Return what each agent can use.

        A way that can't be used is left out, with a notice, where the agent has another one. Where it has none,
        the error names every agent concerned: `NotLoggedIn`, `MeteredNotAllowed`, `AccessNotSupported`,
        `NotTrusted`, `SettingsError`.
        """
        ready: dict[str, tuple[ReadyModel, ...]] = {}
        considered: dict[str, tuple[Considered, ...]] = {}
        failed: dict[str, Sequence[LlmOrcError]] = {}
        notices = self._notices = {}
        for agent, wanted in choices.items():
            outcomes = [await self._find(choice) for choice in wanted]
            self._look_at_options(agent, outcomes)
            failures = [e for outcome in outcomes for e in outcome.failures]
            ready[agent] = tuple(model for outcome in outcomes for model in outcome.ready)
            considered[agent] = _marked(outcomes)
            if not ready[agent] or _must_stop(outcomes[0]):
                failed[agent] = outcomes[0].failures if _must_stop(outcomes[0]) else failures
                continue
            for choice, outcome in zip(wanted, outcomes, strict=True):
                for e in outcome.failures:
                    notices[f"{_left_out(choice, is_first=choice is wanted[0])} is left out: {e.message}"] = None
        if failed:
            raise _joined(failed)
        return ReadyModels(ready, considered, tuple(notices))

    def _look_at_options(self, agent: str, outcomes: Sequence[_Outcome]) -> None:
        """Raise `SettingsError` for options that nobody allowed; name those that somebody did."""
        for ready in (ready for outcome in outcomes for ready in outcome.ready):
            dialects = ALL_DIALECTS if ready.choice.provider is None else ready.connection.dialects
            if refused := refused_options(ready.choice, dialects, self._settings):
                raise options_error(agent, ready.choice, refused)
            if notice := extras_notice(agent, ready.choice, dialects):
                self._notices[notice] = None

    async def _find(self, choice: ModelChoice) -> _Outcome:
        key = (
            choice.provider,
            choice.model,
            choice.named_by,
            choice.profile,
            choice.base_url,
            choice.api_key_env,
            choice.api_key_file,
            choice.auth_method,
        )
        if key not in self._known:
            self._known[key] = await self._resolve(choice)
        known = self._known[key]
        mine = tuple(
            replace(r, choice=replace(choice, provider=r.choice.provider, model=r.choice.model))
            for r in known.ready
        )
        return replace(known, ready=mine)

    async def _resolve(self, choice: ModelChoice) -> _Outcome:
        try:
            options = await self._options(choice)
        except LlmOrcError as e:
            return _Outcome((), (Considered(choice.provider or "", "", e.message),), (e,))
        ready, considered, failures = [], [], []
        for option in options:
            provider, method = option.choice.provider or "", option.method or ""
            try:
                found = await self._through(option)
            except LlmOrcError as e:
                failures.append(e)
                considered.append(Considered(provider, method, e.message))
            else:
                ready.append(found)
                considered.append(
                    Considered(provider, found.access.method, found.why or found.access.source, True)
                )
        return _Outcome(tuple(ready), tuple(considered), tuple(failures))

    async def _options(self, choice: ModelChoice) -> tuple[Option, ...]:
        if self._sandbox is not None:
            return (Option(choice, None, "a rehearsal asks no model"),)
        if choice.provider is None:
            stored = await asyncio.to_thread(self._credentials.stored)
            best = await find_best(self._settings, self._app.surroundings.environ, self._http, stored, self.look)
            choice = replace(choice, provider=best.provider, model=choice.model or best.model)
        assert choice.provider is not None
        self._refuse_withheld(choice)
        spec = find_provider(choice.provider, self._settings.providers)
        return options_of(
            choice,
            spec,
            self._settings.providers,
            has_sign_in=spec.cli is not None and await asyncio.to_thread(self._credentials.has_sign_in, spec.name),
            allow_metered=self._allow_metered,
        )

    async def _through(self, option: Option) -> ReadyModel:
        if self._sandbox is not None:
            return self._rehearsed(option.choice, self._sandbox)
        assert option.choice.provider is not None
        spec = find_provider(option.choice.provider, self._settings.providers)
        if option.method in {"claude-cli", "codex-cli"}:
            return await self._through_cli(spec, option)
        return await self._over_http(spec, option)

    async def look(self, name: str) -> CliState:
        """Return what is known of the official CLI `name`."""
        return await (await self._official_clis()).look(name)

    async def _official_clis(self) -> OfficialClis:
        if self._clis is None:
            from llm_orc.providers.official_cli.official import OfficialClis  # noqa: PLC0415 - for those who use one

            most = self._settings.runs.max_cli_processes
            clis = OfficialClis(self._app.surroundings.environ, max_live=most)
            self._clis = await self._stack.enter_async_context(clis)
        return self._clis

    async def _through_cli(self, spec: ProviderSpec, option: Option) -> ReadyModel:
        if spec.cli is None or spec.cli != option.method:
            hint = f"llm-orc auth add {spec.name}"
            raise AccessNotSupported(f"`{spec.name}` has no `{option.method}`", hint=hint)
        state = await self.look(spec.cli)
        if state.problem is not None:
            raise state.problem
        own = self._settings.providers.get(spec.name)
        of_program = self._settings.providers.get(spec.cli)
        base_url = option.choice.base_url or (own and own.base_url) or (of_program and of_program.base_url)
        if base_url:
            base_url = check_base_url(base_url, spec.name)
        model = option.choice.model or (own.default_model if own else None)
        self._notice_stray_key(spec)
        return ReadyModel(
            choice=replace(option.choice, model=model),
            model=model or "default",
            connection=CliConnection(await self._official_clis(), state, base_url or None),
            access=Access(spec.name, spec.cli, Billing.SUBSCRIPTION, state.in_words, base_url or _HOMES[spec.cli]),
            why=option.why,
        )

    def _notice_stray_key(self, spec: ProviderSpec) -> None:
        """People have lost money because such a key won in silence: it does not, and that is said."""
        sibling = find_provider(spec.metered_sibling or spec.name, self._settings.providers)
        for variable in sibling.api_key_env:
            if self._app.surroundings.environ.get(variable, "").strip():
                notice = f"The environment variable {variable} is not used for `{spec.name}`: the plan pays."
                self._notices[notice] = None

    async def _over_http(self, spec: ProviderSpec, option: Option) -> ReadyModel:
        choice = option.choice
        endpoint_of(spec, self._settings.providers, choice.base_url)  # an address that is missing is named first
        model = choice.model or spec.default_model
        if model is None:
            raise SettingsError(
                f"provider `{spec.name}` needs a model to be named",
                hint=f"Add `model:` beside it, or `providers.{spec.name}.default_model` to config.yaml.",
            )
        held = await asyncio.to_thread(self._credentials.find, spec, choice, option.method)
        endpoint = endpoint_of(
            spec, self._settings.providers, choice.base_url, has_credential=held.method != "none"
        )
        self._http.check(endpoint.base_url)
        access = Access(
            provider=spec.name,
            method=held.method,
            billing=held.billing or billing_of(spec, endpoint),
            source=held.source,
            endpoint=endpoint.origin,
        )
        if not option.is_agreed:
            self._refuse_unwanted_bill(choice, access, is_set_up=held.entry is not None)
        if held.notice is not None:
            self._notices[held.notice] = None
        return ReadyModel(
            choice=replace(choice, model=model),
            model=model,
            connection=HttpConnection(
                replace(endpoint, credential=in_words(held), key_hint=what_to_do(held, spec)),
                self._credentials.authoriser(held, spec, endpoint.origin),
                self._required_system_prompt(held),
            ),
            access=access,
            why=option.why,
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
        connection = HttpConnection(endpoint, NoCredential(sandbox.origin))
        return ReadyModel(replace(choice, model=model), model, connection, access)

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


_HOMES = {"claude-cli": "https://api.anthropic.com", "codex-cli": "https://chatgpt.com"}


def _must_stop(first: _Outcome) -> bool:
    """What is wrong in the settings, or not agreed to, is not passed over for a fallback."""
    return not first.ready and any(
        not isinstance(e, AuthError) or isinstance(e, MeteredNotAllowed) for e in first.failures
    )


def _left_out(choice: ModelChoice, *, is_first: bool) -> str:
    if choice.profile is None:
        return f"A way in to `{choice.provider}`"
    return f"A way in of profile `{choice.profile}`" if is_first else f"The fallback `{choice.profile}`"


def _marked(outcomes: Sequence[_Outcome]) -> tuple[Considered, ...]:
    """Only the first way that works is used; the others wait."""
    marked: list[Considered] = []
    for one in (one for outcome in outcomes for one in outcome.considered):
        is_used = one.is_used and not any(before.is_used for before in marked)
        marked.append(replace(one, is_used=is_used))
    return tuple(marked)


def _joined(failed: Mapping[str, Sequence[LlmOrcError]]) -> LlmOrcError:
    """One error for all agents that can't be reached, a line for each cause; agents with the same share it."""
    causes: dict[str, tuple[LlmOrcError, list[str]]] = {}
    for agent, errors in failed.items():
        for error in errors:
            causes.setdefault(error.message, (error, []))[1].append(agent)
    lines = [f"{message} ({_agents(agents)})" for message, (_, agents) in causes.items()]
    joined = copy(next(iter(failed.values()))[0])
    joined.message = "\n".join(lines)
    joined.args = (joined.message,)
    return joined


def _agents(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:4])
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"agent{'s' if len(names) > 1 else ''} {shown}{more}"
