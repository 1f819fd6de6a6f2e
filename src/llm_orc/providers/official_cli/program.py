"""What a row of the table of official CLIs says: how one is found, called and read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from llm_orc.catalog.rows import OfficialCliRow
from llm_orc.errors import LlmOrcError, ToolAttempted
from llm_orc.net.text import one_line
from llm_orc.providers.base import StopReason, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.errors import AuthError
    from llm_orc.providers.base import Target
    from llm_orc.providers.official_cli.lines import Fields
    from llm_orc.providers.official_cli.state import Standing, Told


@dataclass(frozen=True, slots=True)
class Call:
    """What one process is started for; it answers as this model in this role, turn after turn."""

    model: str | None  # None: the program's own default
    system_prompt: str
    max_tokens: int | None
    base_url: str | None
    room: Path  # its own directory, private and empty; removed after it
    models: str = ""  # what `models_arguments` printed


@dataclass(frozen=True, slots=True)
class Started:
    """It is up, and its standing was looked at."""


@dataclass(frozen=True, slots=True)
class Answering:
    """The provider took the login and answers; the text shown so far is void."""


@dataclass(frozen=True, slots=True)
class Working:
    """The answer is on its way, or some thought before it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class TriesAgain:
    """The program itself tries again; the text shown so far is void. That is no progress, however often."""

    error: LlmOrcError
    delay_s: float


@dataclass(frozen=True, slots=True)
class Answered:
    """The turn is over, and this is all of it. `may_go_on`: the process can take another turn."""

    text: str
    model: str
    usage: Usage = field(default_factory=Usage)
    stop_reason: StopReason = "end_turn"
    stop_word: str = ""  # the program's own, where nobody knows what it means
    may_go_on: bool = True


Meaning = Started | Answering | Working | Piece | TriesAgain | Answered | None
"""None: nothing that we need to know, such as a kind of line that a later version has."""


def tool_used(target: Target, tool: str) -> ToolAttempted:
    """Return what anything but text and thought ends a turn with; `tool` is the program's word for it."""
    return ToolAttempted(
        f"{target} went for a tool ({one_line(tool, 80) or 'of an unknown kind'}), though it has to answer with"
        " text alone; it was stopped",
        hint="Say in the role or the task that everything it needs is in the text.",
    )


class TurnReader(ABC):
    """Reads the lines of one turn."""

    @abstractmethod
    def read(self, said: Fields) -> Meaning:
        """Return what a line means. Raises the `LlmOrcError` that it reports, `ToolAttempted` among them."""

    @abstractmethod
    def ended(self, exit_code: int, complaint: str) -> LlmOrcError:
        """The process ended without saying that the turn is over: what that means."""


@dataclass(frozen=True, slots=True)
class OfficialCli(ABC):
    """How one official CLI is called and read. Its row says what it is; the program is unmodified."""

    row: OfficialCliRow
    status_arguments: ClassVar[tuple[str, ...]]
    oldest: ClassVar[tuple[int, int, int]]
    keeps_talking: ClassVar[bool]  # one process takes turn after turn
    longest_prompt: ClassVar[int]  # bytes of UTF-8; beyond it the program refuses
    models_arguments: ClassVar[tuple[str, ...]] = ()  # prints the models that it knows, where a call needs them
    model_class: ClassVar[str] = "llm_orc.providers.official_cli.model:OfficialCliModel"

    @property
    def command(self) -> str:
        return self.row.command

    @abstractmethod
    def standing(self, told: Told, env: Mapping[str, str]) -> Standing:
        """Read what `status_arguments` printed in the environment `env`: `plan` and `token` are what is proven."""

    @abstractmethod
    def arguments(self, call: Call, env: Mapping[str, str]) -> tuple[str, ...]:
        """Return what follows the command, in the environment `env`; no prompt, no secret: everybody can read it.

        Raises `AccessNotSupported` where the program can't be closed.
        """

    @abstractmethod
    def variables(self, room: Path, call: Call | None) -> Mapping[str, str]:
        """Return what is set for the child besides what it may see; without a call, for looking at its state.

        `room` is its own directory in both cases, and empty.
        """

    @abstractmethod
    def files(self, call: Call) -> Mapping[str, str]:
        """Return the files that its arguments name, to be put into its room: name → text.

        Raises `AccessNotSupported` where the program can't be closed.
        """

    @abstractmethod
    def turn(self, prompt: str) -> bytes:
        """Return what is written to its standard input for one turn."""

    @abstractmethod
    def reader(self, target: Target, call: Call) -> TurnReader: ...

    @abstractmethod
    def refusal_of_metered(self, standing: Standing) -> AuthError:
        """Return why this standing, which is no proven plan, must not be used as a subscription."""
