"""The access of agents that name no model: what each provider would send, best first.

Local servers come first, then what the user set up, then official CLIs, then what was only found. Of what was set
up, access that costs nothing per call ranks first; if it can't be used, nothing that may cost replaces it without
consent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.choice import ModelChoice
from llm_orc.app.access.discovery import find_local
from llm_orc.app.access.route import Route
from llm_orc.auth.sources.table import SOURCES
from llm_orc.catalog.table import PROVIDERS, is_alias
from llm_orc.dataclass import dataclass
from llm_orc.errors import LlmOrcError, NotInteractive, NotLoggedIn, PlanCreditsNotAllowed
from llm_orc.net.late_loop import in_thread
from llm_orc.providers.lookup import official_clis

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from llm_orc.app.access.consent import Paying
    from llm_orc.app.access.resolver import Resolver
    from llm_orc.app.wiring import App
    from llm_orc.net.transport import Transport
    from llm_orc.providers.official_cli.state import CliState

_SET_UP, _SET_UP_COSTLY, _LAST = 0, 1, 9
_PROGRAM = 2  # an official CLI goes before what was only found: `Source.rank`


@dataclass(frozen=True, slots=True)
class Best:
    """The best route for an agent that names no model.

    `failed` is the error of another access that the user set up and that can't be used, if the route may cost.
    `is_chosen` is false if the route replaces access that costs nothing per call.
    """

    route: Route
    failed: LlmOrcError | None = None
    is_chosen: bool = True


class BestAccess:
    """Finds the best route. `look` returns the state of an official CLI and is called only if that may matter."""

    def __init__(
        self,
        app: App,
        http: Transport,
        resolver: Resolver,
        look: Callable[[str], Awaitable[CliState]],
        *,
        paying: Paying = "agreed",
        plans: frozenset[str] = frozenset(),
    ) -> None:
        self._settings, self._http, self._resolver, self._look = app.settings, http, resolver, look
        self._paying: Paying = "plan" if paying in {"plan", "always"} else "agreed"
        self._plans = plans
        self._unusable: LlmOrcError | None = None  # why an existing credential can't be used
        self._set_up: LlmOrcError | None = None  # the same for one that was set up, if its provider has no other

    async def find(self, *, free_only: bool = False) -> Best:
        """Return the best route; with `free_only` the best free one. Raises `NotLoggedIn` if there is none."""
        for local in await find_local(self._settings, self._http):
            if any(
                route.is_used
                for route in self._resolver.routes(ModelChoice(local.provider, None, named_by="nobody"))
            ):
                return Best(local)
        ranked, failed = await self._ranked(with_programs=False)
        if free_only:
            ranked = _free(ranked)
        if not ranked or ranked[0][0] > _SET_UP_COSTLY:
            ranked, failed = await self._ranked(with_programs=True)
            ranked = _free(ranked) if free_only else ranked
        if ranked:
            best = ranked[0][1]
            passed_over = self._set_up if best.billing.may_cost else None
            return Best(best, failed or passed_over, is_chosen=failed is None)
        if failed is not None:
            raise failed
        if self._unusable is not None:
            raise self._unusable
        raise NotLoggedIn(
            "no model can be reached: no local server answers, and there is no API key in the environment",
            hint="`llm-orc setup` shows how to get access; `--rehearse` runs the ensemble without a model.",
        )

    async def beyond_local(self) -> tuple[Route, ...]:
        """Return the access besides local servers, in order of preference, also what needs the name of a model.

        What has `is_set_up` was set up by its user, or is a program that they have logged in.
        """
        ranked, _ = await self._ranked(with_programs=True, needs_model=False)
        return tuple(route for _, route in ranked)

    async def _ranked(
        self, *, with_programs: bool, needs_model: bool = True
    ) -> tuple[list[tuple[int, Route]], LlmOrcError | None]:
        ranked: list[tuple[int, Route]] = []
        failed: LlmOrcError | None = None
        programs = official_clis(self._settings.providers)
        for name in self._names():
            choice = ModelChoice(name, None, named_by="nobody")
            own = self._settings.providers.get(name)
            is_preferred = own is not None and bool(own.auth_methods)
            row = programs.get(name)
            is_by_name_only = (name in PROVIDERS and is_alias(PROVIDERS[name])) or (row and not row.proves_login)
            if not is_preferred and is_by_name_only:
                continue
            try:
                program = self._resolver.program_of(choice) if with_programs or is_preferred else None
                cli = None if program is None else await self._look(program)
                routes = await in_thread(
                    self._resolver.routes, choice, cli, paying=self._paying, plans=self._plans
                )
            except LlmOrcError:
                continue  # not usable as configured: agents that name it get the error
            used = next((route for route in routes if route.is_used), None)
            problems = (
                route.problem
                for route in routes
                if route.problem is not None and not route.bar and _exists(route, route.problem)
            )
            self._unusable = self._unusable or next(problems, None)
            if used is None:
                stored = (
                    route.problem for route in routes if route.place == "store" and route.problem and not route.bar
                )
                self._set_up = self._set_up or next(stored, None)
            failed = failed or _failed(routes, used, is_preferred=is_preferred)
            has_model = used is not None and bool(used.spec.default_model or used.cli)
            if used is not None and used.place != "nowhere" and (has_model or not needs_model):
                rank = _rank(used, is_preferred=is_preferred)
                model = None if used.cli is not None else used.spec.default_model
                chosen = replace(used.choice, provider=name, model=model)
                ranked.append((rank, replace(used, choice=chosen, is_set_up=rank <= _PROGRAM)))
        if failed is not None:
            ranked = [(_LAST if route.billing.may_cost else rank, route) for rank, route in ranked]
        return sorted(ranked, key=lambda one: (one[0], one[1].billing.expense)), failed

    def _names(self) -> Iterator[str]:
        yield from dict.fromkeys([*PROVIDERS, *self._settings.providers, *self._resolver.stored_providers()])


def _exists(route: Route, problem: LlmOrcError) -> bool:
    """True if there is a credential that can't be used, or a program that only needs a yes or a person."""
    is_ready = route.cli is not None and route.cli.problem is None
    return route.found is not None or (is_ready and isinstance(problem, NotInteractive | PlanCreditsNotAllowed))


def _free(ranked: list[tuple[int, Route]]) -> list[tuple[int, Route]]:
    return [(rank, route) for rank, route in ranked if not route.billing.may_cost]


def _failed(routes: tuple[Route, ...], used: Route | None, *, is_preferred: bool) -> LlmOrcError | None:
    """Return what the user set up without a cost per call and can't be used, if nothing as cheap replaces it."""
    if used is not None and not used.billing.may_cost:
        return None
    for route in routes:
        is_chosen = route.place == "store" or (is_preferred and route.place in {"program", "nowhere"})
        if is_chosen and not route.bar and route.problem is not None and not route.billing.may_cost:
            return route.problem
    return None


def _rank(route: Route, *, is_preferred: bool) -> int:
    if route.place == "store" or is_preferred:
        return _SET_UP_COSTLY if route.billing.may_cost else _SET_UP
    return SOURCES[route.place].rank if route.place in SOURCES else _PROGRAM
