"""A batch and its rows as plain values, and the names of their workflows in the durable engine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Literal

import msgspec

from llm_orc.agents.budgets.ceilings import NO_MOST, Ceilings, Most
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import RecordedEvent
from llm_orc.jsontypes import JsonValue
from llm_orc.runs.recipe import Recipe, identity_of
from llm_orc.runs.spend import Spend
from llm_orc.runs.state import RunState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.runs.results import RunResult

ROW_WORKFLOW, AGENT_WORKFLOW = "llm-orc-row", "llm-orc-agent"
_WORKFLOW_ID = re.compile(r"([^:\s]{1,80}):([1-9][0-9]{0,8}):([1-9][0-9]{0,8})(?::([^:\s]{1,2000}))?", re.ASCII)
RowState = Literal["waiting", "asking", "completed", "completed_with_errors", "failed", "cancelled"]
"""`waiting`: for its turn, or in progress; `asking`: for a person, and shown as `waiting` too."""
StoredState = Literal["open", "cancelled", "spent"]  # spent: the budget is used up while rows wait
BatchState = Literal["open", "done", "cancelled", "spent"]


@dataclass(frozen=True, slots=True)
class NewRow:
    """One input that is about to be stored. If it can't be used, `error` says why, and `task` is empty."""

    number: int  # from 1
    line: int  # of the input file; 0: a separate file
    task: str
    label: str = ""
    fields: dict[str, JsonValue] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What a batch, and each attempt at a row, may spend. None: no limit."""

    max_cost_usd: float | None = None
    max_calls: int | None = None
    row_max_cost_usd: float | None = None
    row_max_calls: int | None = None
    max_total_tokens: int | None = None
    row_max_total_tokens: int | None = None

    @property
    def kinds(self) -> tuple[bool, ...]:
        """Which of the limits that shape a call are set, whatever their values."""
        shaping = (self.max_cost_usd, self.row_max_cost_usd, self.row_max_calls)
        return tuple(limit is None for limit in (*shaping, self.max_total_tokens, self.row_max_total_tokens))

    @property
    def of_batch(self) -> Ceilings:
        return Ceilings(self.max_cost_usd, self.max_calls, self.max_total_tokens)

    @property
    def of_row(self) -> Ceilings:
        return Ceilings(self.row_max_cost_usd, self.row_max_calls, self.row_max_total_tokens)


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch that is about to be stored. `recipe` has no task, since each row has its own, and no limits."""

    batch_id: str
    recipe: Recipe
    inputs: str
    created_at: float
    total: int
    limits: BatchLimits = BatchLimits()
    most: Most = NO_MOST
    contents: Mapping[str, Callable[[], bytes]] = field(default_factory=dict)  # of its files, by SHA-256


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A row of the store. `damage` says why it can't be read.

    `record` has its events up to the end of its last attempt, or up to where it waits for a person.
    """

    batch_id: str
    number: int
    line: int
    label: str
    fields: dict[str, JsonValue]
    task: str
    state: RowState
    attempt: int
    ended_at: float | None
    error_code: str | None
    error: str | None
    takeovers: int = 0  # since its last answer
    record: tuple[RecordedEvent, ...] = ()
    damage: str | None = None

    @property
    def row_id(self) -> str:
        return f"{self.batch_id}:{self.number}"

    @property
    def run_state(self) -> RunState:
        state = RunState()
        for event in self.record:
            state.apply(event)
        return state

    @property
    def result(self) -> RunResult | None:
        """The row's result; None if it has not run."""
        return self.run_state.result() if self.record else None


@dataclass(frozen=True, slots=True)
class RowInput:
    """The input of a row, without its outcome."""

    task: str
    label: str
    fields: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class RowEnd:
    """How a row ended: enough for progress, without its answers."""

    number: int
    state: RowState
    ended_at: float
    spend: dict[str, Spend]


@dataclass(frozen=True, slots=True)
class Failures:
    """The rows of a batch that failed with the same code. `message` is the most frequent one of them."""

    code: str
    message: str
    rows: int
    first: tuple[int, ...]  # the numbers of the first ones


@dataclass(frozen=True, slots=True)
class WaitingRows:
    """The rows of a batch that wait for a plan, and until when, in Unix seconds."""

    rows: int
    until: float


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of the store. `calls`, `spent_usd` and `tokens` count against its limits.

    `spent_usd` and `tokens` are counted only while they have a limit, and without what is reserved for calls in
    progress.
    """

    batch_id: str
    ensemble: str
    inputs: str
    created_at: float
    stored_state: StoredState
    total: int
    is_rehearsal: bool
    limits: BatchLimits
    calls: int
    spent_usd: float
    counts: dict[RowState, int]
    unusable: int  # rows that failed because their input can't be used
    waits_for_plan: WaitingRows | None = None  # rows, among those that wait, whose plan is used up
    asking: int = 0  # rows, among those that wait, that a person has to answer before they go on
    tokens: int = 0

    @property
    def state(self) -> BatchState:
        return "done" if self.stored_state != "cancelled" and not self.waiting else self.stored_state

    @property
    def waiting(self) -> int:
        """The number of rows that have not ended: they wait, are in progress, or are not even stored yet."""
        return self.total - sum(count for state, count in self.counts.items() if state != "waiting")

    @property
    def only_asks(self) -> bool:
        """Whether nothing is left to do before a person answers."""
        return self.state == "open" and 0 < self.asking == self.waiting

    @property
    def kept(self) -> int:
        """The number of rows in the store: fewer than `total` if a process was killed while it stored them."""
        return sum(self.counts.values())


def batch_id_of(recipe: Recipe, rows: Sequence[NewRow], salt: str = "") -> str:
    """Return an id made from the content: the same inputs with the same recipe are the same batch.

    Whatever does not shape the answers is left out: the ensemble's file and description, the consent to pay, and
    time limits. With a `salt`, the same inputs are another batch.
    """
    ensemble = replace(recipe.ensemble, source=None, description="", default_task=None)
    choices = {
        agent: tuple(replace(choice, named_by="nobody", named_in=None) for choice in found)
        for agent, found in recipe.choices.items()
    }
    shaping = replace(recipe, ensemble=ensemble, task="", choices=choices, allow_metered=False, timeout_s=None)
    digest = hashlib.sha256(identity_of(shaping))
    digest.update(salt.encode())
    for row in rows:
        # With the columns, since the results show them beside the answers.
        digest.update(msgspec.json.encode([row.task, row.error, row.fields]))
    return f"b{digest.hexdigest()[:12]}"


def workflow_id(batch_id: str, number: int, attempt: int) -> str:
    return f"{batch_id}:{number}:{attempt}"


@dataclass(frozen=True, slots=True)
class WorkflowName:
    """The parsed id of a workflow, which carries out a row, or calls one agent of a row."""

    batch_id: str
    number: int
    attempt: int
    agent: str | None = None

    @property
    def row(self) -> str:
        return workflow_id(self.batch_id, self.number, self.attempt)


def parse_workflow_id(text: object) -> WorkflowName | None:
    """Read `BATCH:NUMBER:ATTEMPT` or `BATCH:NUMBER:ATTEMPT:AGENT`; return None for anything else."""
    found = _WORKFLOW_ID.fullmatch(text) if isinstance(text, str) else None
    return found and WorkflowName(found[1], int(found[2]), int(found[3]), found[4])


def row_of_agent(agent_workflow: str) -> str:
    """Return the id of the row's workflow, for which the workflow `BATCH:NUMBER:ATTEMPT:AGENT` was queued."""
    return ":".join(agent_workflow.split(":", 3)[:3])


def queue_of(batch_id: str) -> str:
    return f"batch:{batch_id}"
