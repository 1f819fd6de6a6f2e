"""Find the access of every agent's models before anything is spent, or raise."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.model.options import extras_notice, left_out_notices, options_error, refused_options
from llm_orc.app.access.bare_names import BareNames
from llm_orc.app.access.best import BestAccess
from llm_orc.app.access.consent import (
    Consent,
    interactive_notice,
    refuse_elsewhere,
    refuse_unwanted_bill,
    refuse_withheld,
)
from llm_orc.app.access.credentials import in_words, open_authorisers, what_to_do
from llm_orc.app.access.missing import joined_error
from llm_orc.app.access.models import CliConnection, Considered, HttpConnection, LazyClis, Model, Models
from llm_orc.auth.access import Access, Bill, Billing
from llm_orc.auth.apply import NoCredential
from llm_orc.catalog.table import COMPATIBLE
from llm_orc.dataclass import dataclass
from llm_orc.errors import (
    AccessNotSupported,
    AuthError,
    LlmOrcError,
    MeteredNotAllowed,
    NotInteractive,
    NotTrusted,
    SettingsError,
)
from llm_orc.net.late_loop import in_thread, start_loop
from llm_orc.providers.endpoint import Endpoint, check_base_url, endpoint_of
from llm_orc.providers.lookup import find_provider, official_clis
from llm_orc.providers.official_cli.find import find_program, not_installed
from llm_orc.providers.options.request import ALL_DIALECTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from llm_orc.agents.choice import ModelChoice
    from llm_orc.app.access.best import Best
    from llm_orc.app.access.consent import Caller
    from llm_orc.app.access.credentials import Authorisers
    from llm_orc.app.access.route import Route
    from llm_orc.app.wiring import App
    from llm_orc.catalog.rows import ProviderSpec
    from llm_orc.net.transport import Transport
    from llm_orc.providers.official_cli.state import CliState
    from llm_orc.sandbox.server import Sandbox


_NO_CONSENT = Consent()


@asynccontextmanager
async def access_finder(
    app: App,
    http: Transport,
    *,
    consent: Consent = _NO_CONSENT,
    sandbox: Sandbox | None = None,
) -> AsyncIterator[AccessFinder]:
    """Return the finder of one run or command. On exit it ends what it started: token exchanges, official CLIs."""
    async with open_authorisers(app, http) as authorisers, LazyClis(app) as clis:
        yield AccessFinder(app, http, authorisers, clis, consent=consent, sandbox=sandbox)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The outcome for one choice: the usable routes, and what was considered.

    `failures` are the reasons why other routes can't be used. Those that are also in `minor` are reported only if
    no route is left; the others as notices too.
    """

    ready: tuple[Model, ...]
    considered: tuple[Considered, ...]
    failures: tuple[LlmOrcError, ...]
    minor: tuple[LlmOrcError, ...] = ()


class AccessFinder:
    """Finds access for the choices of one run or command. Equal choices are looked up once."""

    def __init__(
        self,
        app: App,
        http: Transport,
        authorisers: Authorisers,
        clis: LazyClis,
        *,
        consent: Consent = _NO_CONSENT,
        caller: Caller = "own machine",
        sandbox: Sandbox | None = None,
    ) -> None:
        self._app, self._settings, self._http = app, app.settings, http
        self._authorisers, self._clis = authorisers, clis
        self._paying, self._plans, self._caller, self._sandbox = consent.paying, consent.plans, caller, sandbox
        self._agreed = frozenset() if consent.free_only else consent.agreed
        self._bare_names = BareNames(app.settings, authorisers.resolver, self.look, self._best)
        self._notices: dict[str, None] = {}
        self._known: dict[tuple[str | None, ...], _Outcome] = {}

    async def find_all(self, choices: Mapping[str, Sequence[ModelChoice]]) -> Models:
        """Return what each agent can use.

        A route that can't be used is left out, with a notice, if the agent has another one. If it has none, the
        error names every agent concerned: `NotLoggedIn`, `MeteredNotAllowed`, `AccessNotSupported`,
        `NotTrusted`, `SettingsError`.
        """
        ready, failed = await self.find_each(choices)
        if failed:
            raise joined_error(failed)
        return ready

    async def find_each(
        self, choices: Mapping[str, Sequence[ModelChoice]]
    ) -> tuple[Models, Mapping[str, Sequence[LlmOrcError]]]:
        """Return what each agent can use, and why others can use nothing; what was considered for all of them.

        Raises `SettingsError` for options that may not be sent.
        """
        ready: dict[str, tuple[Model, ...]] = {}
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
                for e in (e for e in outcome.failures if e not in outcome.minor):
                    notices[f"{_left_out(choice, is_first=choice is wanted[0])} is left out: {e.message}"] = None
        ready = {agent: found for agent, found in ready.items() if agent not in failed}
        of_agents = {agent: [(model.choice, model.connection.calls) for model in ready[agent]] for agent in ready}
        notices.update(dict.fromkeys(left_out_notices(of_agents)))
        return Models(ready, considered, tuple(notices)), failed

    def _look_at_options(self, agent: str, outcomes: Sequence[_Outcome]) -> None:
        """Raise `SettingsError` for options that are not allowed; add a notice for those that the user allowed."""
        for ready in (ready for outcome in outcomes for ready in outcome.ready):
            dialects = ALL_DIALECTS if ready.choice.provider is None else ready.connection.dialects
            if refused := refused_options(ready.choice, dialects, self._settings):
                raise options_error(agent, ready.choice, refused)
            if notice := extras_notice(agent, ready.choice, dialects):
                self._notices[notice] = None

    async def _find(self, choice: ModelChoice) -> _Outcome:
        if choice.is_bare and self._sandbox is None:
            try:
                choice = await self._bare_names.resolve(choice)
            except LlmOrcError as e:
                return _Outcome((), (Considered("", "", e.message),), (e,))
        key = (
            choice.provider,
            choice.model,
            choice.named_by,
            choice.profile,
            choice.base_url,
            choice.api_key_env,
            choice.api_key_file,
            choice.auth_method,
            choice.named_in,
        )
        if key not in self._known:
            self._known[key] = await self._resolve(choice)
        known = self._known[key]
        mine = tuple(
            replace(r, choice=replace(choice, provider=r.choice.provider, model=r.choice.model))
            for r in known.ready
        )
        return _with_tools(replace(known, ready=mine)) if choice.calls_tools else replace(known, ready=mine)

    async def _resolve(self, choice: ModelChoice) -> _Outcome:
        try:
            if self._sandbox is not None:
                return _rehearsal(self._rehearsed(choice, self._sandbox))
            routes, failed, is_chosen = await self._routes(choice)
        except LlmOrcError as e:
            return _Outcome((), (Considered(choice.provider or "", "", e.message),), (e,))
        opened, considered, failures = [], [], [] if failed is None else [failed]
        minor: list[LlmOrcError] = []
        for route in routes:
            provider, method = route.spec.name, route.method or ""
            if route.bar:
                considered.append(Considered(provider, method, f"{route.where}: {route.bar}"))
                continue
            try:
                found = await self._open(route, is_chosen=is_chosen)
            except LlmOrcError as e:
                failures.append(e)
                minor += [] if self._is_missed(route) else [e]
                considered.append(Considered(provider, method, e.message))
            else:
                opened.append(found)
                if notice := interactive_notice(route.spec):
                    self._notices[notice] = None
                considered.append(
                    Considered(provider, found.access.method, found.why or found.access.source, True)
                )
        if opened:
            self._notice_unused(routes)
        return _Outcome(tuple(opened), tuple(considered), tuple(failures), tuple(minor))

    def _is_missed(self, route: Route) -> bool:
        """True if it should be reported: a program that is not installed matters only to choices that name it."""
        own = self._settings.providers.get(route.spec.name)
        is_named = route.choice.auth_method is not None or (own is not None and route.method in own.auth_methods)
        return is_named or route.cli is None or route.cli.path is not None

    async def _routes(self, choice: ModelChoice) -> tuple[tuple[Route, ...], LlmOrcError | None, bool]:
        """Return the routes, what else was set up and can't be used, and whether they are the user's choice."""
        failed, is_chosen = None, True
        if choice.provider is None:
            best = await self._best()
            choice = replace(choice, provider=best.route.provider, model=choice.model or best.route.model)
            failed, is_chosen = best.failed, best.is_chosen
        refuse_withheld(self._settings, choice)
        resolver = self._authorisers.resolver
        program = resolver.program_of(choice)
        cli = None if program is None else await self.look(program)
        routes = await in_thread(resolver.routes, choice, cli, paying=self._paying, plans=self._plans)
        return routes, failed, is_chosen

    async def _best(self) -> Best:
        resolver = self._authorisers.resolver
        best = BestAccess(self._app, self._http, resolver, self.look, paying=self._paying, plans=self._plans)
        return await best.find(free_only=self._paying == "never")

    async def _open(self, route: Route, *, is_chosen: bool) -> Model:
        """Open the route. Raises what keeps a run from using it."""
        if route.cli is None:
            return self._over_http(route, is_chosen=is_chosen)
        if route.problem is not None:
            raise route.problem
        return await self._through_cli(route, route.cli, is_chosen=is_chosen)

    async def look(self, name: str) -> CliState:
        """Return the state of the official CLI `name`."""
        row = official_clis(self._settings.providers)[name]
        if find_program(row, self._app.environment.environ) is None:
            return not_installed(row)
        await start_loop()
        return await self._clis().look(name)

    async def _through_cli(self, route: Route, state: CliState, *, is_chosen: bool) -> Model:
        spec, choice = route.spec, route.choice
        own = self._settings.providers.get(spec.name)
        of_program = self._settings.providers.get(state.name)
        base_url = choice.base_url or (own and own.base_url) or (of_program and of_program.base_url)
        if base_url:
            base_url = check_base_url(base_url, spec.name)
        model = choice.model or (own.default_model if own else None)
        row = official_clis(self._settings.providers)[state.name]
        access = Access(spec.name, row.name, route.billing, route.label, base_url or row.origin)
        self._refuse_unwanted_bill(route, model or "default", access, is_chosen=is_chosen)
        self._notice_stray_key(spec)
        return Model(
            choice=replace(choice, model=model),
            model=model or "default",
            connection=CliConnection(self._clis(), state, base_url or None),
            access=access,
            why=route.why,
        )

    def _refuse_unwanted_bill(self, route: Route, model: str, access: Access, *, is_chosen: bool) -> None:
        if Bill.of(model, access) not in self._agreed:
            refuse_unwanted_bill(self._app, route, access, self._paying, is_chosen=is_chosen)

    def _notice_stray_key(self, spec: ProviderSpec) -> None:
        """Say that the key is not used: users have lost money to programs that silently preferred such a key."""
        sibling = find_provider(spec.metered_sibling or spec.name, self._settings.providers)
        for variable in sibling.api_key_env:
            if self._app.environment.environ.get(variable, "").strip():
                notice = f"The environment variable {variable} is not used for `{spec.name}`: the plan pays."
                self._notices[notice] = None

    def _notice_unused(self, routes: Sequence[Route]) -> None:
        """Report an unused credential in the environment, and a used one that an earlier release left."""
        used = next((route for route in routes if route.is_used), None)
        if used is None:
            return
        for route in routes:
            if route.place == "environment" and route.bar and used.place != "environment":
                self._notices[
                    f"The {route.label} is not used: the {used.label} of `{used.spec.name}` comes first."
                ] = None
        choice = used.choice
        if used.spec.cli is not None and (choice.api_key_env or choice.api_key_file):
            notice = (
                f"The key that profile `{choice.profile}` names is not used: a plan pays for `{used.spec.name}`."
            )
            self._notices[notice] = None
        if used.place == "older-store":
            notice = f"`{used.spec.name}` uses the {used.label}, from {used.where}: {used.why}."
            self._notices[f"{notice} To make it yours: `llm-orc auth migrate`."] = None

    def _over_http(self, route: Route, *, is_chosen: bool) -> Model:
        choice, spec = route.choice, route.spec
        endpoint_of(spec, self._settings.providers, choice.base_url)  # a missing address is reported first
        model = choice.model or spec.default_model
        if model is None:
            raise SettingsError(
                f"provider `{spec.name}` needs a model name",
                hint=f"Add `model:` beside it, or `providers.{spec.name}.default_model` to config.yaml;"
                f" `llm-orc models list {spec.name}` shows what there is.",
            )
        if route.problem is not None:
            raise route.problem
        has_credential = route.found is not None
        endpoint = endpoint_of(spec, self._settings.providers, choice.base_url, has_credential=has_credential)
        self._http.check(endpoint.base_url)
        access = Access(spec.name, route.method or "none", route.billing, route.label, endpoint.origin)
        refuse_elsewhere(spec, self._caller)
        self._refuse_unwanted_bill(route, model, access, is_chosen=is_chosen)
        is_named = choice.profile is None and choice.named_by != "nobody"
        is_named = is_named and choice.auth_method is None and spec.cli is None
        return Model(
            choice=replace(choice, model=model),
            model=model,
            connection=HttpConnection(
                replace(endpoint, credential=in_words(route), key_hint=what_to_do(route)),
                self._authorisers.of(route, endpoint.origin),
                self._authorisers.required_system_prompt(route),
            ),
            access=access,
            why=f"the agent names this provider; {route.why}" if is_named else route.why,
        )

    def _rehearsed(self, choice: ModelChoice, sandbox: Sandbox) -> Model:
        spec = find_provider(choice.provider or COMPATIBLE, self._settings.providers)
        model = choice.model or spec.default_model or "sandbox"
        name = choice.provider or "sandbox"
        address = sandbox.base_url(spec.dialect)
        endpoint = Endpoint(name, spec.dialect, address, sandbox.origin, calls=spec.calls)
        access = Access(name, "sandbox", Billing.LOCAL, "sandbox: canned answers, no model", sandbox.origin)
        connection = HttpConnection(endpoint, NoCredential(sandbox.origin))
        return Model(replace(choice, model=model), model, connection, access)


def _rehearsal(ready: Model) -> _Outcome:
    said = "a rehearsal calls no model"
    return _Outcome((ready,), (Considered(ready.access.provider, ready.access.method, said, is_used=True),), ())


def _must_stop(first: _Outcome) -> bool:
    """True for errors in the settings, missing consent and a missing person: no fallback replaces these."""
    return not first.ready and any(
        not isinstance(e, AuthError) or isinstance(e, MeteredNotAllowed | NotInteractive | NotTrusted)
        for e in first.failures
    )


def _left_out(choice: ModelChoice, *, is_first: bool) -> str:
    if choice.profile is None:
        return f"Access to `{choice.provider or choice.model}`"
    return f"Access of profile `{choice.profile}`" if is_first else f"The fallback `{choice.profile}`"


def _with_tools(outcome: _Outcome) -> _Outcome:
    """Leave out official CLIs, which can't call an agent's tools."""
    clis = [model for model in outcome.ready if isinstance(model.connection, CliConnection)]
    errors = {
        name: AccessNotSupported(
            f"`{name}` can't call the tools of an agent, as it is an official CLI",
            hint="Remove its `tools`, or use a model that is called with a key or a sign-in.",
        )
        for name in dict.fromkeys(model.access.provider for model in clis)
    }
    considered = (
        replace(one, outcome=errors[one.provider].message, is_used=False)
        if one.is_used and one.provider in errors
        else one
        for one in outcome.considered
    )
    ready = tuple(model for model in outcome.ready if model not in clis)
    return _Outcome(ready, tuple(considered), (*outcome.failures, *errors.values()), outcome.minor)


def _marked(outcomes: Sequence[_Outcome]) -> tuple[Considered, ...]:
    """Mark the first usable route as used; the others are in reserve."""
    marked: list[Considered] = []
    for one in (one for outcome in outcomes for one in outcome.considered):
        is_used = one.is_used and not any(before.is_used for before in marked)
        marked.append(replace(one, is_used=is_used))
    return tuple(marked)
