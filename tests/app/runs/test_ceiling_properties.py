"""Whatever dialects, faults, kills and resumes come together: what a provider could bill stays within the limit."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.agents.budgets.attempt import Spending
from llm_orc.agents.budgets.ceilings import NOTHING, Ceilings, Spent
from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.candidate import Candidate
from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.kinds import all_agents
from llm_orc.agents.model.caller import LlmCaller
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentGraph, AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.agents.uses.limits import Bound, CeilingsWithin
from llm_orc.app.access.bills.day_ledger import DayLedger, Refused, Reserve, Settle, spending_of_today
from llm_orc.app.runs.limits.budget import budget_of, budgets_within, limits_of
from llm_orc.app.runs.limits.day_budget import DayBudget
from llm_orc.auth.access import Access, Billing
from llm_orc.auth.apply import ApiKeyHeader
from llm_orc.auth.secret import Secret
from llm_orc.engine.events import AgentDelta, AttemptStarted, RecordedEvent
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import StorageError
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.base import Usage
from llm_orc.providers.dialects.anthropic import Anthropic
from llm_orc.providers.dialects.dialect import Dialect
from llm_orc.providers.dialects.gemini import Gemini
from llm_orc.providers.dialects.openai_chat import OpenAIChat
from llm_orc.providers.dialects.openai_responses import OpenAIResponses
from llm_orc.providers.endpoint import Endpoint
from llm_orc.providers.model import HttpModel
from llm_orc.providers.prices import listed_usd
from llm_orc.providers.retries import Retries
from llm_orc.runs.attempts import RecordedAttempts
from llm_orc.runs.journal import RunRow
from llm_orc.runs.recipe import Recipe, RecordedRun
from llm_orc.runs.record import DirectSink
from llm_orc.runs.state import RunState
from tests.examples import many
from tests.fakes.paid_server import FAULTS, PROVIDERS, Fault, PaidServer

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (Anthropic(), OpenAIChat(), OpenAIResponses(), Gemini())
}
MAX_TOKENS = 2000
ROUNDING_USD = 1e-9


class Clock:
    def now(self) -> float:
        return 1_000_000.0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True)
class Process:
    """One process of a run: it is killed when it has sent `kill_at` requests."""

    kill_at: int | None
    limit_usd: float | None = None
    max_calls: int | None = None
    max_total_tokens: int | None = None


class Mortal(DayLedger):
    """The ledger of a process that may be killed: then nothing more is written."""

    is_dead = False

    def apply(self, changes: Sequence[Reserve | Settle]) -> list[int | Refused | None]:
        if self.is_dead:
            raise StorageError("killed")
        return super().apply(changes)

    def die(self) -> None:
        self.is_dead = True
        self.close()


@dataclass(frozen=True)
class Day:
    """What a day may cost, over all processes, and the file that they share."""

    file: Path
    limit_usd: float


class AgentOfTheCall(Mapping[str, str]):
    """The headers of a request: which agent it is for."""

    path: ContextVar[str] = ContextVar("path", default="")

    def __getitem__(self, name: str) -> str:
        return {"x-agent": self.path.get()}[name]

    def __iter__(self) -> Iterator[str]:
        return iter(["x-agent"] if self.path.get() else [])

    def __len__(self) -> int:
        return len([*self])


@dataclass
class Story:
    """A run over several processes: `kept` is what its journal has of it."""

    dialect: str
    agents: int
    stream: bool
    text: str = ""  # of an ensemble, in place of agents beside each other
    ensemble: Ensemble | None = None  # the same, made in Python
    day: Day | None = None
    kept: list[RecordedEvent] = field(default_factory=list)

    @property
    def state(self) -> RunState:
        state = RunState()
        for event in self.kept:
            state.apply(event)
        return state

    def recipe(self, process: Process) -> Recipe:
        names = [f"a{n}" for n in range(self.agents)]
        ensemble = Ensemble("e", tuple(AgentSpec(name) for name in names))
        if self.text:
            ensemble = parse_ensemble_text(self.text).ensemble
        ceilings = Ceilings(process.limit_usd, process.max_calls, process.max_total_tokens)
        return Recipe(self.ensemble or ensemble, "the task", {}).with_ceilings(ceilings)

    def earlier(self, recipe: Recipe) -> RecordedRun | None:
        row = RunRow("r", "e", 0.0, None, "open", self.agents, 0, None, False)
        return RecordedRun(row, recipe, tuple(self.kept), len(self.kept)) if self.kept else None

    async def go_on(self, server: PaidServer, http: Http, process: Process) -> None:
        is_alive, requests = True, 0

        def keep(event: RecordedEvent | AgentDelta) -> None:
            if is_alive and not isinstance(event, AgentDelta):
                self.kept.append(event)
            elif isinstance(event, AttemptStarted):
                raise asyncio.CancelledError  # the dead send nothing

        def billed(_usd: float) -> None:
            nonlocal is_alive, requests
            requests += 1
            if requests == process.kill_at:
                is_alive = False
                if ledger is not None:
                    ledger.die()
                running.cancel()

        server.billed = billed
        recipe, clock, sink = self.recipe(process), Clock(), DirectSink(keep)
        plan, candidate = make_plan(recipe.ensemble), self.candidate(server, http)
        candidates = dict.fromkeys((str(path) for path, _ in all_agents(recipe.ensemble)), (candidate,))
        state = self.state
        record = RecordedAttempts(sink, clock.now)
        earlier = self.earlier(recipe)
        budget = budget_of(recipe, earlier, candidates, {}, record)
        ledger = None if self.day is None else Mortal(self.day.file, clock.now)
        shared = [DayBudget(ledger, self.day.limit_usd)] if self.day is not None and ledger is not None else []
        budgets: list[Spending] = [*shared, *([] if budget is None else [budget])]
        caller = LlmCaller(candidates, budgets, within=budgets_within(recipe, earlier))

        async def ask(turn: AgentTurn) -> AgentOutput:
            AgentOfTheCall.path.set(turn.path)
            return await caller(turn)

        running = asyncio.ensure_future(
            execute(
                plan,
                RunStart("r", recipe.task, done=state.outputs, before=state.before, limits=limits_of(recipe)),
                AgentCaller(ask, rehearsal=False),
                sink,
                clock=clock,
                max_concurrent=3,
            )
        )
        with suppress(asyncio.CancelledError):
            await running
        for one in shared:
            await one.close()
        if ledger is not None:
            ledger.close()

    def candidate(self, server: PaidServer, http: Http) -> Candidate:
        provider, model, _ = PROVIDERS[self.dialect]
        endpoint = Endpoint(provider, DIALECTS[self.dialect].name, server.url, server.url, AgentOfTheCall())
        key = ApiKeyHeader(server.url, "x-key", Secret("k"), "")

        def cost_usd(name: str, usage: Usage) -> float | None:
            prices = [listed_usd(provider, each, usage) for each in (name, model)]
            return max((price for price in prices if price is not None), default=None)

        async def nap(_seconds: float) -> None:
            await asyncio.sleep(0)

        built = HttpModel(
            endpoint,
            model,
            DIALECTS[self.dialect],
            key,
            http,
            retries=Retries(2, nap),
            stream=self.stream,
        )
        choice = ModelChoice(provider, model, "user", max_tokens=MAX_TOKENS, timeout_s=0.5)
        return Candidate(choice, built, Access(provider, "api-key", Billing.METERED, "key", server.url), cost_usd)


async def tell(story: Story, faults: Sequence[Fault], processes: Iterable[Process]) -> None:
    async with (
        PaidServer([*faults]) as server,
        Http(NetworkSettings(idle_timeout_s=0.05), max_connections=10) as http,
    ):
        for process in processes:
            bill_before, calls_before, tokens_before = server.bill_usd, len(server.bills), sum(server.tokens)
            await story.go_on(server, http, process)
            costs = story.state.costs
            costs.stop()
            check_within(story.recipe(process).ensemble, server)
            if story.day is not None:
                assert server.bill_usd <= story.day.limit_usd + ROUNDING_USD
                counted = spending_of_today(story.day.file, Clock().now())
                assert server.bill_usd <= counted.counted_usd + ROUNDING_USD
            of_all = (process.limit_usd, process.max_total_tokens)
            if process.kill_at and None in of_all:  # what was not limited is kept a moment later
                return
            if process.max_total_tokens is not None:
                assert sum(server.tokens) <= costs.counted_tokens
                assert sum(server.tokens) <= max(process.max_total_tokens, tokens_before)
            if process.max_calls is not None:
                assert len(server.bills) <= costs.calls
                assert len(server.bills) <= max(process.max_calls, calls_before)
            if process.limit_usd is not None:
                assert server.bill_usd <= costs.counted_usd + ROUNDING_USD, "what is counted is no less"
                assert server.bill_usd <= max(process.limit_usd, bill_before) + ROUNDING_USD
        if story.ensemble is not None:  # of an answer that was sent back, the agent has no cost if it fails
            return
        result = story.state.result()
        known = sum(agent.cost_usd or 0.0 for agent in result.agents)
        assert result.total.known_cost_usd == pytest.approx(known)
        assert (result.total.cost_usd is None) == bool(result.total.unknown_costs)
        if result.total.cost_usd is not None:
            assert server.bill_usd <= result.total.cost_usd + ROUNDING_USD, "nothing that was billed is left out"
            if result.counted_usd is not None:
                assert result.counted_usd == pytest.approx(result.total.cost_usd), (
                    "limit and result tell one story"
                )


def check_within(graph: AgentGraph, server: PaidServer) -> None:
    """Whatever the provider could count below a limit within the run is no more than it allows."""
    ceilings = CeilingsWithin(graph)
    spent: dict[Bound, Spent] = {}
    for agent, usd, tokens in zip(server.agents, server.bills, server.tokens, strict=True):
        for bound in ceilings.around(AgentPath(agent)):
            before = spent.get(bound, NOTHING)
            spent[bound] = Spent(before.usd + usd, before.calls + 1, before.tokens + tokens)
    for bound, of_it in spent.items():
        most = bound.ceilings
        assert most.max_cost_usd is None or of_it.usd <= most.max_cost_usd + ROUNDING_USD
        assert most.max_calls is None or of_it.calls <= most.max_calls
        assert most.max_total_tokens is None or of_it.tokens <= most.max_total_tokens


stories = st.builds(
    Story, dialect=st.sampled_from(sorted(PROVIDERS)), agents=st.integers(1, 5), stream=st.booleans()
)
processes = st.builds(
    Process,
    kill_at=st.none() | st.integers(1, 4),
    limit_usd=st.none() | st.floats(0.0, 0.15),
    max_calls=st.none() | st.integers(0, 8),
    max_total_tokens=st.none() | st.integers(0, 20_000),
)


@settings(max_examples=many(60), deadline=None)
@given(
    story=stories,
    faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=8),
    processes=st.lists(processes, min_size=1, max_size=4),
)
async def test_no_faults_kills_and_resumes_bring_a_bill_above_its_limit(
    story: Story, faults: list[Fault], processes: list[Process]
) -> None:
    await tell(story, faults, processes)


Agent = dict[str, object]


def nested(children: st.SearchStrategy[Agent]) -> st.SearchStrategy[Agent]:
    """An agent that runs others in rounds, perhaps for each of several items."""
    return st.builds(_loop, st.lists(children, min_size=1, max_size=2), st.integers(1, 3), st.none() | lists)


def _loop(agents: list[Agent], most: int, items: list[str] | None) -> Agent:
    loop: Agent = {"loop": {"agents": named(agents), "max_rounds": most}}
    return loop if items is None else {**loop, "fan_out": {"over": items}}


def named(agents: list[Agent]) -> list[Agent]:
    return [{"name": f"a{n}", **agent} for n, agent in enumerate(agents)]


QUICK_FAULTS: tuple[Fault, ...] = ("none", "none", "none", "no usage", "bad usage", "cut", "429", "400")
lists = st.lists(st.sampled_from(["one", "two", "three"]), min_size=1, max_size=3)
asked: st.SearchStrategy[Agent] = st.sampled_from(
    [{}, {"samples": 2}, {"samples": {"max": 3, "ahead": 1}}, {"fan_out": {"over": ["x", "y"]}}]
)
ensembles = st.lists(st.recursive(asked, nested, max_leaves=4), min_size=1, max_size=2).map(
    lambda agents: json.dumps({"name": "e", "agents": named(agents)})
)


@settings(max_examples=many(25), deadline=None)
@given(
    text=ensembles,
    dialect=st.sampled_from(sorted(PROVIDERS)),
    faults=st.lists(st.sampled_from(QUICK_FAULTS), min_size=1, max_size=8),
    processes=st.lists(processes, min_size=1, max_size=2),
)
async def test_nor_do_rounds_items_and_samples_within_each_other(
    text: str, dialect: str, faults: list[Fault], processes: list[Process]
) -> None:
    await tell(Story(dialect, 0, stream=False, text=text), faults, processes)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
async def test_nor_do_long_stories(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(15):
        story = Story(rng.choice(sorted(PROVIDERS)), rng.randint(1, 12), rng.random() < 0.5)
        limit_usd = rng.choice([None, rng.uniform(0.01, 0.4), rng.uniform(0.01, 0.4)])
        kills = [rng.choice([None, 1, 2, 3, 5, 8]) for _ in range(6)]
        await tell(story, [rng.choice(FAULTS) for _ in range(30)], [Process(kill, limit_usd) for kill in kills])
