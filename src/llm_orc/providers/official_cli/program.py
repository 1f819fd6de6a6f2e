"""A row of the table of official CLIs: how one is found, called and read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from llm_orc.catalog.rows import DialectName, OfficialCliRow
from llm_orc.dataclass import dataclass
from llm_orc.errors import LlmOrcError, ToolAttempted
from llm_orc.jsontypes import JsonValue
from llm_orc.net.text import one_line
from llm_orc.processes.framing import LINES, Framing
from llm_orc.providers.base import StopReason, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.errors import AuthError
    from llm_orc.providers.base import Target
    from llm_orc.providers.official_cli.lines import Fields
    from llm_orc.providers.official_cli.state import Standing, Told
    from llm_orc.providers.parts import Attachment


@dataclass(frozen=True, slots=True)
class Call:
    """What a process is started for; it answers as this model in this role, turn after turn."""

    model: str | None  # None: the program's own default
    system_prompt: str
    max_tokens: int | None
    base_url: str | None
    room: Path  # its own directory, private and empty; removed afterwards
    models: str = ""  # what `models_arguments` printed
    schema: dict[str, JsonValue] | None = None  # what its answers have to satisfy, in what the program takes of it


@dataclass(frozen=True, slots=True)
class Started:
    """It has started, and its login was checked."""


@dataclass(frozen=True, slots=True)
class Answering:
    """The provider accepted the login and is answering; the text shown so far is void."""


@dataclass(frozen=True, slots=True)
class Working:
    """The answer, or thinking before it, is in progress."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class TriesAgain:
    """The program itself retries; the text shown so far is void. This doesn't count as progress."""

    error: LlmOrcError
    delay_s: float


@dataclass(frozen=True, slots=True)
class Answered:
    """The turn is complete. `may_go_on`: the process can take another turn."""

    text: str
    model: str
    usage: Usage = field(default_factory=Usage)
    stop_reason: StopReason = "end_turn"
    stop_word: str = ""  # the program's own word, if its meaning is unknown
    may_go_on: bool = True


@dataclass(frozen=True, slots=True)
class Respond:
    """The program waits for this message on its standard input. `is_accepted`: it has accepted the login."""

    line: bytes
    is_accepted: bool = False


Meaning = Started | Answering | Working | Piece | TriesAgain | Answered | Respond | None
"""None: irrelevant, such as a kind of line that a later version adds."""


def tool_used(target: Target, tool: str) -> ToolAttempted:
    """Return the error for output other than text and thinking; `tool` is the program's word for it."""
    return ToolAttempted(
        f"{target} tried to use a tool ({one_line(tool, 80) or 'of an unknown kind'}) although it must answer with"
        " text only; it was stopped",
        hint="State in the role or the task that everything it needs is in the text.",
    )


class TurnReader(ABC):
    """Reads the lines of one turn."""

    @abstractmethod
    def read(self, said: Fields) -> Meaning:
        """Return what a line means. Raises the `LlmOrcError` that it reports, `ToolAttempted` among them."""

    @abstractmethod
    def ended(self, exit_code: int, complaint: str) -> LlmOrcError:
        """Return what it means that the process ended before the turn was complete."""


@dataclass(frozen=True, slots=True)
class OfficialCli(ABC):
    """How one official CLI is called and read. Its row says what it is; the program is unmodified."""

    row: OfficialCliRow
    status_arguments: ClassVar[tuple[str, ...]]
    oldest: ClassVar[tuple[int, int, int]]
    look: ClassVar[str] = "llm_orc.providers.official_cli.detect:look_at"  # finds out its state
    keeps_talking: ClassVar[bool]  # one process takes turn after turn
    converses: ClassVar[bool] = False  # it reads on within a turn, so its standard input stays open
    framing: ClassVar[Framing] = LINES  # of what it writes and reads
    takes_schema: ClassVar[DialectName | None] = None  # in what form; None: it is said in the prompt
    longest_prompt: ClassVar[int]  # bytes of UTF-8; the program refuses more
    models_arguments: ClassVar[tuple[str, ...]] = ()  # prints its models, if a call needs them
    model_class: ClassVar[str] = "llm_orc.providers.official_cli.model:OfficialCliModel"

    @property
    def command(self) -> str:
        return self.row.command

    @abstractmethod
    def standing(self, told: Told, env: Mapping[str, str]) -> Standing:
        """Read what `status_arguments` printed in the environment `env`: `plan` and `token` are what is proven."""

    @abstractmethod
    def arguments(self, call: Call, env: Mapping[str, str]) -> tuple[str, ...]:
        """Return the arguments in the environment `env`; no prompt and no secret, because everyone can read them.

        Raises `AccessNotSupported` if the program's tools can't be disabled.
        """

    @abstractmethod
    def variables(self, room: Path, call: Call | None) -> Mapping[str, str]:
        """Return the variables to set for the child; without a call, for examining its state.

        `room` is its own directory in both cases, and empty.
        """

    @abstractmethod
    def files(self, call: Call) -> Mapping[str, str]:
        """Return the files that its arguments name, to be written into its room: name → text.

        Raises `AccessNotSupported` if the program's tools can't be disabled.
        """

    @abstractmethod
    def turn(self, prompt: str, files: Sequence[Attachment] = ()) -> bytes:
        """Return what is written to its standard input for one turn; its row says which `files` it takes."""

    @abstractmethod
    def reader(self, target: Target, call: Call, prompt: str) -> TurnReader:
        """Return what reads the turn that `turn(prompt)` began."""

    @abstractmethod
    def refusal_of_metered(self, standing: Standing) -> AuthError:
        """Return the error for a login that is no proven plan and must not be used as a subscription."""
