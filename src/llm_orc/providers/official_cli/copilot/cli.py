"""`copilot`, GitHub's command, as a chat model: one process and one session for each call, without tools.

It is driven as its own SDKs drive it, by JSON-RPC on its standard streams. Tested with 1.0.102: no request to a
model offers a tool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from llm_orc.dataclass import dataclass
from llm_orc.processes.framing import HEADERS, Framing
from llm_orc.providers.official_cli.copilot import messages
from llm_orc.providers.official_cli.copilot.login import refusal_of
from llm_orc.providers.official_cli.copilot.turn import CopilotTurn
from llm_orc.providers.official_cli.program import OfficialCli
from llm_orc.providers.official_cli.state import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from llm_orc.errors import AuthError
    from llm_orc.providers.base import Target
    from llm_orc.providers.official_cli.program import Call
    from llm_orc.providers.official_cli.state import Told
    from llm_orc.providers.parts import Attachment


@dataclass(frozen=True, slots=True)
class Copilot(OfficialCli):
    """How `copilot` is called and read."""

    status_arguments: ClassVar[tuple[str, ...]] = ()
    look: ClassVar[str] = "llm_orc.providers.official_cli.copilot.look:look_at"
    oldest: ClassVar[tuple[int, int, int]] = (1, 0, 102)
    keeps_talking: ClassVar[bool] = False
    converses: ClassVar[bool] = True
    framing: ClassVar[Framing] = HEADERS
    longest_prompt: ClassVar[int] = 8_000_000

    def standing(self, told: Told, env: Mapping[str, str]) -> Standing:
        return Standing("unknown")  # it has no command that tells; `look` asks its server

    def refusal_of_metered(self, standing: Standing) -> AuthError:
        return refusal_of(self.row, standing)

    def arguments(self, call: Call, env: Mapping[str, str]) -> tuple[str, ...]:
        return self.serving(call.room)

    def serving(self, room: Path) -> tuple[str, ...]:
        """Return the arguments that start it as a server on its standard streams, with its log in `room`."""
        return (
            *("--headless", "--stdio", "--no-auto-update", "--disable-builtin-mcps", "--no-custom-instructions"),
            *("--disable-client-telemetry", "--log-level", "none", "--log-dir", str(room / "log")),
        )

    def variables(self, room: Path, call: Call | None) -> Mapping[str, str]:
        return {}

    def files(self, call: Call) -> Mapping[str, str]:
        return {}

    def turn(self, prompt: str, files: Sequence[Attachment] = ()) -> bytes:
        return messages.connect()

    def reader(self, target: Target, call: Call, prompt: str) -> CopilotTurn:
        return CopilotTurn(target, self.row, call, prompt)
