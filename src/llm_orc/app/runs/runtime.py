"""What the runs of one process share: connections, limits, sign-ins, official CLIs and the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import field
from typing import TYPE_CHECKING, Self

from llm_orc.agents.candidate import Candidate
from llm_orc.agents.choice import ModelChoice
from llm_orc.app.access.bills.costs import cost_of
from llm_orc.app.access.bills.day_ledger import DayLedger
from llm_orc.app.access.consent import Caller, Consent
from llm_orc.app.access.credentials import open_authorisers
from llm_orc.app.access.finder import AccessFinder
from llm_orc.app.access.models import LazyClis, Models
from llm_orc.app.cache.store import AnswerStore
from llm_orc.app.files.cleaning import remove_unused_contents
from llm_orc.app.files.spilled import remove_spilled
from llm_orc.app.runs.limits.day_budget import DayBudget
from llm_orc.dataclass import dataclass
from llm_orc.errors import StorageError
from llm_orc.net.http import Http
from llm_orc.net.open_files import raise_open_files
from llm_orc.providers.limits.limiter import Gate, Limiters
from llm_orc.providers.limits.plans import Plans

if TYPE_CHECKING:
    from types import TracebackType

    from llm_orc.app.access.credentials import Authorisers
    from llm_orc.app.access.models import Model
    from llm_orc.app.wiring import App
    from llm_orc.providers.limits.limiter import SlowedDown
    from llm_orc.runs.journal import Journal
    from llm_orc.sandbox.server import Sandbox

Choices = dict[str, tuple[ModelChoice, ...]]
Candidates = dict[str, tuple[Candidate, ...]]

_MOST_KEPT = 64  # runs whose models are kept for the next run of the same
_CLEAN_UP_S = 3600.0  # between two looks for runs that are kept no longer


@dataclass(frozen=True, slots=True)
class Terms:
    """How models are asked. `patience` times as many retries as the settings say."""

    consent: Consent = field(default_factory=Consent)
    rehearsal: bool = False  # canned answers from the sandbox; no model is asked
    stream: bool = False  # pass text on as it comes
    patience: int = 1
    caller: Caller = "own machine"


@dataclass(frozen=True, slots=True)
class ReadyRun:
    """The models of a run's agents, ready to be called, and at most so many connections at once."""

    ready: Models
    candidates: Candidates
    connections: int


@dataclass(frozen=True, slots=True)
class _Kept:
    """Models that were found for these choices on these terms."""

    choices: Mapping[str, tuple[ModelChoice, ...]]
    terms: Terms
    models: ReadyRun


class Runtime:
    """Enter it, run as often and as much at the same time as you like, leave it: nothing outlives it.

    What a run needs is opened when the first run needs it. `gate` is a limit that several processes share.
    """

    def __init__(self, app: App, *, gate: Gate | None = None) -> None:
        self.app = app
        self._gate = gate
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._kept: list[_Kept] = []
        self._connections = 0
        self._http: Http
        self._authorisers: Authorisers
        self._clis: LazyClis
        self.plans = Plans(app.clock.now)
        self._limiters: dict[bool, Limiters] = {}  # for rehearsals, and for everything else
        self._rehearsal: tuple[Http, Sandbox] | None = None
        self._journal: Journal | None = None
        self._cleaned_at = 0.0
        self.answers = AnswerStore(app.paths.answers_database)
        self._day: tuple[DayLedger, DayBudget] | None = None

    async def __aenter__(self) -> Self:
        self._connections = raise_open_files()
        async with AsyncExitStack() as stack:
            self._http = await stack.enter_async_context(Http(self.app.settings.network, self._connections))
            self._authorisers = await stack.enter_async_context(open_authorisers(self.app, self._http))
            self._clis = await stack.enter_async_context(LazyClis(self.app))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kept.clear()
        self.answers.close()
        if self._day is not None:
            ledger, budget = self._day
            await budget.close()
            await asyncio.to_thread(ledger.close)
        await self._stack.__aexit__(kind, error, trace)

    async def models_for(self, choices: Mapping[str, tuple[ModelChoice, ...]], terms: Terms) -> ReadyRun:
        """Find the access of every agent, and return its models ready to be called. Raises for all at once.

        What was found is kept for the next run with the same choices and terms, so that what the models keep
        between two turns of a conversation is kept too. What was not found is looked for again.
        """
        for kept in reversed(self._kept):
            if kept.terms == terms and kept.choices == choices:
                return kept.models
        models = await self._find(choices, terms)
        self._kept.append(_Kept(choices, terms, models))
        del self._kept[:-_MOST_KEPT]
        return models

    def forget(self, models: ReadyRun) -> None:
        """Look for access again in the next run: these models were refused."""
        self._kept = [kept for kept in self._kept if kept.models is not models]

    async def journal(self) -> Journal:
        """Return the record of runs, open until the runtime is left. Raises `StorageError`."""
        async with self._opening:
            if self._journal is None:
                self._journal = await asyncio.to_thread(self.app.open_journal)
                self._cleaned_at = self.app.clock.monotonic()
                self._stack.push_async_callback(asyncio.to_thread, self._close_journal, self._journal)
            return self._journal

    def budgets(self) -> tuple[DayBudget, ...]:
        """Return the budgets that all runs share: that of a day, if the settings limit it."""
        limit_usd = self.app.settings.runs.max_cost_per_day_usd
        if limit_usd is None:
            return ()
        if self._day is None:
            ledger = DayLedger(self.app.paths.spending_database, self.app.clock.now)
            self._day = ledger, DayBudget(ledger, limit_usd)
        return (self._day[1],)

    def slowed_down(self) -> tuple[SlowedDown, ...]:
        """Return the busy providers that calls of this process wait for."""
        return tuple(slowed for limiters in self._limiters.values() for slowed in limiters.slowed_down())

    async def _find(self, choices: Mapping[str, tuple[ModelChoice, ...]], terms: Terms) -> ReadyRun:
        http, sandbox, connections = self._http, None, self._connections
        if terms.rehearsal:
            http, sandbox = await self._open_rehearsal()
            connections //= 2  # both ends of each are ours
        finder = AccessFinder(
            self.app,
            http,
            self._authorisers,
            self._clis,
            consent=terms.consent,
            caller=terms.caller,
            sandbox=sandbox,
        )
        ready = await finder.find_all(choices)
        candidates = {
            agent: tuple(self._candidate(model, http, terms) for model in models)
            for agent, models in ready.by_agent.items()
        }
        return ReadyRun(ready, candidates, connections)

    def _candidate(self, model: Model, http: Http, terms: Terms) -> Candidate:
        built = model.connection.build(
            model,
            http,
            max_retries=self.app.settings.runs.max_retries * terms.patience,
            stream=terms.stream,
            limiter=self._limiters_of(rehearsal=terms.rehearsal).of(model.access),
        )
        return Candidate(
            model.choice, built, model.access, cost_of(model), model.unpriced_options, model.unbounded
        )

    def _limiters_of(self, *, rehearsal: bool) -> Limiters:
        """One limiter for each access of the process. Canned answers use up no account, but pass the gate."""
        if rehearsal not in self._limiters:
            providers = {} if rehearsal else self.app.settings.providers
            limits = {name: provider.limits for name, provider in providers.items()}
            self._limiters[rehearsal] = Limiters(limits, self._gate)
        return self._limiters[rehearsal]

    async def _open_rehearsal(self) -> tuple[Http, Sandbox]:
        async with self._opening:
            if self._rehearsal is None:
                from llm_orc.sandbox.server import Sandbox  # noqa: PLC0415 - a server, for rehearsals only

                sandbox = Sandbox(show_prompts=True, keep_requests=False)
                sandbox = await self._stack.enter_async_context(sandbox)
                http = Http(self.app.settings.network, self._connections // 2)
                self._rehearsal = (await self._stack.enter_async_context(http), sandbox)
            return self._rehearsal

    async def clean_up(self) -> None:
        """Delete the runs that are kept no longer, once an hour; what is left is deleted at the end."""
        now = self.app.clock.monotonic()
        if self._journal is not None and now - self._cleaned_at > _CLEAN_UP_S:
            self._cleaned_at = now
            await asyncio.to_thread(self._delete_old, self._journal)

    def _close_journal(self, journal: Journal) -> None:
        try:
            self._delete_old(journal)
        finally:
            journal.close()

    def _delete_old(self, journal: Journal) -> None:
        keep_days = self.app.settings.runs.keep_days
        try:
            if keep_days is not None and (old := journal.forgettable(keep_days, self.app.clock.now())):
                journal.delete(old)
                remove_unused_contents(self.app, journal)
                remove_spilled(self.app, journal)
        except StorageError:
            pass  # the runs have their answers; the next one cleans up
