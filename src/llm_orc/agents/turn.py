"""What an agent receives: one turn, with its observer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import AgentPath
from llm_orc.agents.references.scope import Scope
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.tool_log.actions import ActionLog
from llm_orc.agents.tool_talk.talk import ToolTalk
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.base import Message, ReplyObserver
from llm_orc.providers.parts import FileRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.agents.output import ModelCall
    from llm_orc.agents.people.question import Answer, Question
    from llm_orc.auth.access import Access
    from llm_orc.errors import LlmOrcError
    from llm_orc.net.patience import Patience
    from llm_orc.providers.limits.plans import UsedUp
    from llm_orc.schemas.walk import Schema


class AgentObserver(ReplyObserver, Protocol):
    """Watches one agent: a model's text and retries, and which model it is."""

    def calling(self, model: str, access: Access) -> None:
        """The first call is about to be made, with this model over this access."""
        ...

    def switched(self, model: str, access: Access, because: LlmOrcError) -> None:
        """The model before failed with `because`; this one takes over. Text so far is void."""
        ...

    def notice(self, message: str) -> None:
        """Something that the user should know, in one sentence."""
        ...

    def items(self, total: int) -> None:
        """The agent runs once for each of so many items."""
        ...

    def rejected(self, call: ModelCall, error: LlmOrcError, attempt: int) -> None:
        """An answer is not what was asked for, and text so far is void. `attempt` follows; 0: none does."""
        ...

    def round(self, number: int, total: int) -> None:
        """The agent runs others in rounds, at most `total`, and begins this one, counted from 1."""
        ...

    def waiting(self, for_plan: UsedUp) -> None:
        """The plan that would pay is used up, and the agent waits for it. Text so far is void."""
        ...

    def wait_over(self) -> None:
        """The agent goes on; `calling` or `switched` follows."""
        ...


class ForwardingObserver:
    """Tells another observer everything; a subclass leaves out what doesn't concern it."""

    def __init__(self, observer: AgentObserver) -> None:
        self._observer = observer

    def calling(self, model: str, access: Access) -> None:
        self._observer.calling(model, access)

    def switched(self, model: str, access: Access, because: LlmOrcError) -> None:
        self._observer.switched(model, access, because)

    def notice(self, message: str) -> None:
        self._observer.notice(message)

    def items(self, total: int) -> None:
        self._observer.items(total)

    def round(self, number: int, total: int) -> None:
        self._observer.round(number, total)

    def text(self, piece: str) -> None:
        self._observer.text(piece)

    def retrying(self, error: LlmOrcError, attempt: int, delay_s: float) -> None:
        self._observer.retrying(error, attempt, delay_s)

    def rejected(self, call: ModelCall, error: LlmOrcError, attempt: int) -> None:
        self._observer.rejected(call, error, attempt)

    def waiting(self, for_plan: UsedUp) -> None:
        self._observer.waiting(for_plan)

    def wait_over(self) -> None:
        self._observer.wait_over()


@dataclass(frozen=True, slots=True)
class ChildResult:
    """How a graph within an agent ended: the answers that there are, by agent, and the one that is the graph's.

    `failures` has the messages of the agents that failed. `has_failed`: no agent that may answer for it succeeded,
    and one has failed; one that its condition left out has not.
    """

    outputs: Mapping[str, AgentOutput]
    answer: AgentOutput | None
    is_complete: bool  # every agent has answered, or was left out by its condition
    failures: Mapping[str, str] = field(default_factory=dict)
    has_failed: bool = False
    scope: Scope | None = None  # the values of references to its agents


@dataclass(frozen=True, slots=True)
class RoundValues:
    """What the agents of one round know beside their graph: names of this round, and values around it.

    `last` is the scope of the round before, `around` that of the loop itself.
    """

    local: Mapping[str, JsonValue] = field(default_factory=dict)
    last: Scope | None = None
    around: Scope | None = None


NO_ROUND = RoundValues()


class Series(Protocol):
    """Runs of one agent within its turn, such as one for each item of a list: see `ChildRunner.repeat`."""

    @property
    def at_once(self) -> int | None:
        """How many may be under way; None: as many as the run allows."""
        ...

    @property
    def is_decided(self) -> bool:
        """Whether nothing that is still to come changes what becomes of the agent."""
        ...

    def examples(self) -> Sequence[Scope]:
        """Return what a few of the runs may refer to, to see what they have in common."""
        ...

    def next(self) -> Scope | None:
        """Return what the next run may refer to; None: no run is to begin, at least until another has ended."""
        ...

    def ended(self, number: int, how: AgentOutput | LlmOrcError) -> None:
        """Take the answer of the run with this number, counted from 0, or what it failed with."""
        ...


class ChildRunner(Protocol):
    """Runs what is within one agent: the graphs of its work, or the agent itself for each of several items."""

    async def repeat(self, turn: AgentTurn, series: Series) -> None:
        """Run the agent of the turn for each scope of `series`, at its path with the number of the run.

        Returns when all that have begun have ended, and none is to follow. Runs that have an answer from before
        don't begin again.
        """
        ...

    def asked(self, turn: AgentTurn) -> tuple[str, str]:
        """Return the role and the prompt of the agent of the turn, as each of its runs is given them."""
        ...

    async def run(
        self,
        child: str,
        task: str,
        at: AgentPath,
        inputs: Mapping[str, JsonValue] | None = None,
        of_round: RoundValues = NO_ROUND,
        *,
        files: tuple[FileRef, ...] = (),
        schema: Schema | None = None,
    ) -> ChildResult:
        """See `agents.context.AgentContext.run_child`.

        `schema`: what the models in it answer by, in place of their own.
        """
        ...


class TimeLimits:
    """The time limit of an agent in its turn, if it has one, and those of the agents around it.

    They count what the agents do, and stand still while something within waits for a plan or a person.
    """

    __slots__ = ("around", "own")

    def __init__(self, around: TimeLimits | None = None) -> None:
        self.around = around
        self.own: Patience | None = None

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Inside it, none of these limits counts."""
        held = list(self._all())
        for limit in held:
            limit.hold()
        try:
            yield
        finally:
            for limit in held:
                limit.let_go()

    def _all(self) -> Iterator[Patience]:
        limits: TimeLimits | None = self
        while limits is not None:
            if limits.own is not None:
                yield limits.own
            limits = limits.around


@dataclass(frozen=True, slots=True)
class AgentTurn:
    """One execution of one agent, at `path`: the engine's whole request to the outside world.

    The engine knows no conversations: `history`, the turns before this one, and `conversation`, an id that is the
    same for all of them, are added by the caller that stores them.
    """

    path: AgentPath
    agent: AgentSpec
    prompt: str
    observer: AgentObserver
    history: tuple[Message, ...] = ()
    conversation: str | None = None
    model: int = 0  # which of the models that the work needs is asked
    children: ChildRunner | None = None  # None: nothing runs within this agent
    idle: Callable[[], AbstractAsyncContextManager[None]] = nullcontext  # inside it, others have its slot
    limits: TimeLimits | None = None  # its time limit, and those of agents around it
    texts: Mapping[str, str] = field(default_factory=dict)  # those of its work that have references, filled in
    without: tuple[AgentPath, ...] = ()  # agents that it needed, and whose answers are late for it
    shared: int = 0  # characters that its prompt begins with as others do that are asked now
    scope: Scope | None = None  # the values of its references; None where only what is above has been passed on
    ask_person: AskPerson | None = None  # asks for this agent alone; None: whoever calls it knows how
    files: tuple[FileRef, ...] = ()  # those that go with the prompt
    talk: ToolTalk | None = None  # None: its model is offered no tools
    actions: ActionLog | None = None  # None: what it does with tools is kept nowhere
    is_aside: bool = False  # what is asked is no answer of the agent, such as a summary: its schema doesn't count


class AskPerson(Protocol):
    """Asks the question of an agent."""

    async def __call__(self, turn: AgentTurn, question: Question) -> Answer:
        """Return the answer. Raises `WaitsForPerson`, and `ApprovalExpired` if the time for it has passed."""
        ...


class CallAgent(Protocol):
    """The engine's only interface to the outside: direct in an interactive run, a durable step in a batch."""

    async def __call__(self, turn: AgentTurn) -> AgentOutput: ...
