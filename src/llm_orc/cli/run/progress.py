"""A run as lines for a terminal of a given size. Pure: no clock, no screen; an event's cost is constant."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from llm_orc.agents.output import cost_of, usage_of
from llm_orc.agents.path import above, in_tree_order, is_of_item, item_of, list_of
from llm_orc.cli.shell.output.tables import cell_width, cut, tail
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import (
    AgentDelta,
    AgentFinished,
    AnswerRejected,
    ItemsStarted,
    RoundStarted,
    RunStarted,
    ToolsAsked,
)
from llm_orc.formats.figures import charge, count, seconds, spent_dollars, tokens
from llm_orc.formats.printable import one_line
from llm_orc.formats.sentences import (
    from_cache,
    item_figures,
    plan_wait_words,
    round_words,
    rounds_words,
    sample_figures,
    why_skipped,
)
from llm_orc.formats.tools.words import call_words, ended_words
from llm_orc.providers.dialects.endings import end_note
from llm_orc.runs.spend import Spend, spend_of, spend_on, unanswered
from llm_orc.runs.state import RunState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from llm_orc.agents.output import ItemCounts
    from llm_orc.engine.events import RunEvent, ToolFinished
    from llm_orc.runs.state import AgentPhase, AgentState
    from llm_orc.runs.tools.used import ToolUsed

NARROW = 60  # columns; up to this width a line has a name and one figure
EACH_UP_TO = 40  # agents; of more, single lines say less than counts
_EACH_ITEM_UP_TO = 8  # items of one agent: more are one line of counts
_WHOLE = 10_000  # columns: nothing is cut
_PIECES = 64  # characters of streamed text that one line can show

_MARKS: dict[AgentPhase, tuple[str, str]] = {
    "waiting": ("·", "dim"),
    "running": ("●", "cyan"),
    "retrying": ("↻", "yellow"),
    "waiting_for_plan": ("◷", "yellow"),
    "waiting_for_answer": ("?", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("-", "dim"),
}
_ACTIVE: tuple[AgentPhase, ...] = ("running", "retrying", "waiting_for_plan", "waiting_for_answer")
_ENDED: tuple[AgentPhase, ...] = ("completed", "failed", "skipped")
_COUNTED: dict[AgentPhase, str] = {
    "running": "running",
    "retrying": "retrying",
    "waiting_for_plan": "waiting for a plan",
    "waiting_for_answer": "waiting for an answer",
    "failed": "failed",
    "skipped": "skipped",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A coloured mark, then plain text; both printable, and together no wider than requested."""

    mark: str
    style: str
    text: str


class RunProgress:
    """How far a run is, kept from its events and shown as lines."""

    def __init__(self) -> None:
        self._state = RunState()
        self._began_at = 0.0
        self._rows: dict[str, AgentState] = {}  # those that have a line of their own
        self._lists: set[str] = set()  # agents whose items have none
        self._past: set[str] = set()  # rounds that were followed by another: their agents have none either
        self._running: Counter[str] = Counter()  # items at work, by these agents
        self._phases: Counter[AgentPhase] = Counter()
        self._active: dict[str, AgentState] = {}  # in the order of their start
        self._failed: dict[str, AgentState] = {}
        self._spend = Spend()

    def apply(self, event: RunEvent) -> None:
        if isinstance(event, AgentDelta):
            self._state.apply(event)
            streamed = self._state.agents[event.agent].streamed
            if len(streamed) > 2 * _PIECES:  # text that no line can show is not kept
                del streamed[:-_PIECES]
            return
        if isinstance(event, RunStarted):
            self._state.apply(event)
            self._recount(event.at)
            return
        path = getattr(event, "agent", None)
        known = self._state.agents.get(path) if path else None
        before = known.phase if known else None
        self._state.apply(event)
        if isinstance(event, ItemsStarted) and event.total > _EACH_ITEM_UP_TO:
            self._lists.add(event.agent)
            if any(list_of(row) == event.agent for row in self._rows):  # those that have an answer from before
                self._recount(self._began_at)
        if isinstance(event, RoundStarted) and event.number > 1:
            self._past.add(item_of(event.agent, event.number - 1))
            self._recount(self._began_at)
        if path and (agent := self._state.agents.get(path)) is not None:
            self._moved(agent, before)
        if isinstance(event, AgentFinished):
            self._count(event)
        if isinstance(event, ToolsAsked | AnswerRejected):  # paid for like the answer that follows
            call = event.turn.call if isinstance(event, ToolsAsked) else event.call
            self._spend = self._spend.plus(spend_on((call,)))

    def tool_words(self, event: ToolFinished) -> str:
        """Return a call of a tool that has ended, in a few words."""
        return ended_words(self._state.tools.ended(event))

    def _recount(self, began_at: float) -> None:
        """Count again from the state: a resumed run starts with finished agents."""
        agents = {path: agent for path, agent in self._state.agents.items() if self._has_row(path)}
        self._began_at, self._rows = began_at, agents
        self._phases = Counter(agent.phase for agent in agents.values())
        self._active = {name: agent for name, agent in agents.items() if agent.phase in _ACTIVE}
        self._failed = {name: agent for name, agent in agents.items() if agent.phase == "failed"}

    def _has_row(self, path: str) -> bool:
        if self._lists and is_of_item(path, self._lists):
            return False
        return not self._past or self._past.isdisjoint(above(path))

    def _moved(self, agent: AgentState, before: AgentPhase | None) -> None:
        """`before` None: the agent, which runs within another, was not known."""
        if self._lists and is_of_item(agent.name, self._lists):
            self._running[list_of(agent.name)] += (agent.phase in _ACTIVE) - (before in _ACTIVE)
            return
        if not self._has_row(agent.name):
            return
        self._rows[agent.name] = agent
        if before is not None:
            self._phases[before] -= 1
        self._phases[agent.phase] += 1
        if agent.phase in _ACTIVE:
            self._active[agent.name] = agent
        else:
            self._active.pop(agent.name, None)
        if agent.phase == "failed":
            self._failed[agent.name] = agent

    def _count(self, event: AgentFinished) -> None:
        output = event.output
        self._spend = self._spend.plus(spend_of(output))

    def lines(self, width: int, height: int, now: float, without: Collection[str] = ()) -> list[Line]:
        """Return at most `height` lines: the run, then every agent, or the important ones if not all fit.

        `without` are agents that are shown elsewhere.
        """
        agents = self._rows
        if len(without) > 0:
            agents = {name: agent for name, agent in agents.items() if name not in without}
        if len(agents) < height:
            shown = [agents[path] for path in in_tree_order(agents)]
            missing = 0
        else:
            room = max(height - 2, 0)
            shown = list(islice((a for a in self._active.values() if a.name in agents), room))
            if len(shown) < room:
                shown += [a for a in self._failed.values() if a.name in agents][-(room - len(shown)) :]
            missing = len(agents) - len(shown)
        names = _name_column(shown, width)
        drawn = [self._headline(width, now), *(self._line(a, width, names, now) for a in shown)]
        if missing and len(drawn) < height:
            drawn.append(Line(" ", "dim", cut(f"and {count(missing, 'more agent')}", width - 2)))
        return drawn

    def _line(self, agent: AgentState, width: int, names: int, now: float) -> Line:
        tools = self._state.tools.under_way(agent.name) if agent.phase == "running" else ()
        return _agent_line(agent, width, names, now, running=self._running[agent.name], tools=tools)

    def ended(self, width: int, without: Collection[str] = ()) -> dict[str, Line]:
        """Return the line of each agent of the ensemble that has ended; in a large run, of some that failed.

        The reason of a failure is whole, as these lines are not painted again: the terminal breaks them.
        """
        agents = self._state.own_agents
        if len(agents) > EACH_UP_TO:
            agents = [agent for agent in agents if agent.phase == "failed"][:EACH_UP_TO]
        shown = [agent for agent in agents if agent.phase in _ENDED and agent.name not in without]
        names = _name_column(agents, width)
        return {a.name: _agent_line(a, _WHOLE if _reason(a) else width, names, 0.0) for a in shown}

    def _headline(self, width: int, now: float) -> Line:
        ended = sum(self._phases[phase] for phase in _ENDED)
        total = sum(self._phases.values())
        parts = [f"{ended:,} of {count(total, 'agent')}", seconds(now - self._began_at)]
        parts += [f"{self._phases[p]:,} {words}" for p, words in _COUNTED.items() if self._phases[p]]
        spend = self._spend.plus(unanswered(self._state.costs.lost))
        if spend.input_tokens or spend.calls_without_usage:
            more = "+?" if spend.calls_without_usage else ""
            parts.append(f"{tokens(spend.input_tokens + spend.output_tokens)}{more} tokens")
        if spend.cost_usd != 0:
            parts.append(spent_dollars(spend))
        name = self._state.started.ensemble if self._state.started else ""
        sandbox = "SANDBOX " if self._state.started and self._state.started.sandbox else ""
        mark = cut(f"{sandbox}{name}", width // 2)
        return Line(mark, "bold", cut(", ".join(parts), width - cell_width(mark) - 1))


def _name_column(agents: Collection[AgentState], width: int) -> int:
    most = width // 3 if width > NARROW else width // 2
    return min(max((cell_width(agent.name) for agent in agents), default=0), most)


def _agent_line(
    agent: AgentState, width: int, names: int, now: float, *, running: int = 0, tools: Sequence[ToolUsed] = ()
) -> Line:
    mark, style = _MARKS[agent.phase]
    name = cut(agent.name, names)
    name += " " * (names - cell_width(name))
    room = width - 2 - names - 2
    if agent.items is not None and agent.phase in _ACTIVE:
        text = _items_so_far(agent.items, running)
        text = f"{_one_figure(agent, now):<12}{text}" if width > NARROW else text
    elif tools and width > NARROW:
        text = f"{_one_figure(agent, now):<12}{_at_tools(tools, now)}"
    else:
        text = _after_name(agent, room, now) if width > NARROW else _in_short(agent, now)
    return Line(mark, style, cut(f"{name}  {text}".rstrip(), width - 2))


def _at_tools(tools: Sequence[ToolUsed], now: float) -> str:
    """`files.read src/app.py 3.2 s`, and how many others are called at the same time."""
    first = tools[0]
    more = f" and {count(len(tools) - 1, 'other')}" if len(tools) > 1 else ""
    return f"{call_words(first)} {seconds(now - (first.started_at or now))}{more}"


def _items_so_far(items: ItemCounts, running: int) -> str:
    parts = [f"{items.completed + items.failed:,}/{items.total:,}"]
    parts += [
        f"{number:,} {words}" for number, words in ((items.failed, "failed"), (running, "running")) if number
    ]
    return " · ".join(parts)


def _round_so_far(agent: AgentState) -> str:
    """`round 3 of 5`, of an agent that is at work; empty: it has no rounds."""
    return round_words(agent.round) if agent.round is not None and agent.phase in _ACTIVE else ""


def _in_short(agent: AgentState, now: float) -> str:
    return _reason(agent) or _round_so_far(agent) or _one_figure(agent, now)


def _one_figure(agent: AgentState, now: float) -> str:
    if agent.phase == "waiting_for_plan" and agent.plan_wait is not None:
        return f"in {seconds(agent.plan_wait.until - now)}"
    if agent.phase == "retrying":
        left = agent.retries_at - now
        return f"attempt {agent.attempts}" + (f" in {seconds(left)}" if left > 0 else "")
    if agent.phase in _ACTIVE and agent.started_at is not None:
        return seconds(now - agent.started_at)
    return seconds(agent.duration_s) if agent.duration_s is not None else agent.phase


def _after_name(agent: AgentState, room: int, now: float) -> str:
    match agent.phase:
        case "running":
            head = f"{_one_figure(agent, now):<12}"
            streamed = one_line("".join(agent.streamed[-_PIECES:])) or _round_so_far(agent) or (agent.model or "")
            return head + tail(streamed, room - len(head))
        case "retrying":
            return one_line(f"{_one_figure(agent, now)}: {agent.error.message if agent.error else ''}")
        case "completed":
            return "  ".join(_figures(agent))
        case "waiting_for_plan" if agent.plan_wait is not None:
            return one_line(plan_wait_words(agent.plan_wait, now))
        case "waiting_for_answer":
            return "waits for your answer"
        case _:
            return _reason(agent) or agent.phase


def _reason(agent: AgentState) -> str:
    """Return why an agent has no answer; empty if it has one, or still may."""
    if agent.phase == "skipped":
        return one_line(f"skipped: {why_skipped(agent.reason, agent.because)}")
    return one_line(f"failed: {agent.error.message}") if agent.phase == "failed" and agent.error else ""


def _figures(agent: AgentState) -> Iterator[str]:
    if agent.duration_s is not None:
        yield f"{seconds(agent.duration_s):<10}"
    if agent.output is not None and agent.output.samples is not None:
        yield sample_figures(agent.output.samples)
    elif agent.items is not None:
        yield item_figures(agent.items)
    elif agent.output is not None and agent.output.rounds is not None:
        yield rounds_words(agent.output.rounds)
    if agent.output is not None and (last := agent.output.last) is not None:
        usage = usage_of(agent.calls)
        yield f"{tokens(usage.input_tokens)} in, {tokens(usage.output_tokens)} out"
        if note := end_note(last.stop_reason, last.stop_word):
            yield note
        yield charge(last.access.billing, cost_of(agent.calls))
    if agent.output is not None and agent.output.cached is not None:
        yield from_cache(agent.output.cached)
    if agent.output is not None and agent.output.saved_as:
        yield f"written to {one_line(agent.output.saved_as)}"


def width_of(lines: Iterable[Line]) -> int:
    """Return the widest line's cells, mark and gap included."""
    return max((cell_width(line.mark) + 1 + cell_width(line.text) for line in lines), default=0)
