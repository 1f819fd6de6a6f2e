"""An agent that speaks the Agent Client Protocol, as a model: one process and one session for each call.

The command is data: a row of the catalog, or `acp_command` of a provider in the configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from llm_orc.dataclass import dataclass
from llm_orc.errors import MeteredNotAllowed
from llm_orc.providers.official_cli.acp import messages
from llm_orc.providers.official_cli.acp.turn import AcpTurn
from llm_orc.providers.official_cli.history import with_role
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
class AcpAgent(OfficialCli):
    """How such an agent is called and read. The protocol has no system prompt: the role stands in the prompt."""

    status_arguments: ClassVar[tuple[str, ...]] = ()
    look: ClassVar[str] = "llm_orc.providers.official_cli.acp.look:look_at"
    oldest: ClassVar[tuple[int, int, int]] = (0, 0, 0)
    keeps_talking: ClassVar[bool] = False
    converses: ClassVar[bool] = True
    longest_prompt: ClassVar[int] = 8_000_000

    def standing(self, told: Told, env: Mapping[str, str]) -> Standing:
        return Standing("unknown")  # the protocol tells it only when a session begins

    def refusal_of_metered(self, standing: Standing) -> AuthError:
        return MeteredNotAllowed(
            f"it is unknown what pays for `{self.command}`", hint=f"Set `providers.{self.row.name}.billing`."
        )

    def arguments(self, call: Call, env: Mapping[str, str]) -> tuple[str, ...]:
        return self.row.arguments

    def variables(self, room: Path, call: Call | None) -> Mapping[str, str]:
        return {}

    def files(self, call: Call) -> Mapping[str, str]:
        return {}

    def turn(self, prompt: str, files: Sequence[Attachment] = ()) -> bytes:
        return messages.initialize()

    def reader(self, target: Target, call: Call, prompt: str) -> AcpTurn:
        whole = with_role(call.system_prompt, prompt)
        return AcpTurn(target, self.row, call.model, call.room / "desk", whole)
