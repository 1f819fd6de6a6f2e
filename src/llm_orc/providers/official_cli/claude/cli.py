"""`claude`, Anthropic's Claude Code, as a plain chat model: no tools, no files, no settings, the user's own login.

The command line, the variables and the output format were tested with versions up to 2.1.330.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from llm_orc.dataclass import dataclass
from llm_orc.errors import MeteredNotAllowed
from llm_orc.providers.base import Message
from llm_orc.providers.dialects.turns.anthropic import content_of
from llm_orc.providers.official_cli.claude.login import standing_of
from llm_orc.providers.official_cli.claude.turn import ClaudeTurn
from llm_orc.providers.official_cli.program import OfficialCli

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from llm_orc.errors import AuthError
    from llm_orc.providers.base import Target
    from llm_orc.providers.official_cli.program import Call
    from llm_orc.providers.official_cli.state import Standing, Told
    from llm_orc.providers.parts import Attachment

_PROMPT_FILE = "system-prompt.txt"
_QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
}
_PLAIN = {
    "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",  # `@/etc/passwd` in a prompt stays text, in old versions too
    "CLAUDE_CODE_DISABLE_FILE_MENTIONS": "1",
    "CLAUDE_CODE_DISABLE_REFUSAL_RETRY": "1",
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",  # otherwise a cut stream ends as success
    "CLAUDE_CODE_MAX_RETRIES": "2",  # its default is ten, with half a minute of silence
}
_FLAGS = (
    *("-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"),
    *("--include-partial-messages", "--tools", "", "--setting-sources", "", "--strict-mcp-config"),
    *("--disable-slash-commands", "--no-session-persistence", "--max-turns", "1"),
)


@dataclass(frozen=True, slots=True)
class Claude(OfficialCli):
    """How `claude` is called and read."""

    # Before the command, or it is refused. Without it, a key in a settings file would seem to be the login.
    status_arguments: ClassVar[tuple[str, ...]] = ("--setting-sources", "", "auth", "status")
    oldest: ClassVar[tuple[int, int, int]] = (2, 1, 248)  # the first version that sends a prompt unchanged
    keeps_talking: ClassVar[bool] = True
    longest_prompt: ClassVar[int] = 3_000_000
    model_class: ClassVar[str] = "llm_orc.providers.official_cli.model:ClaudeCLIModel"

    def standing(self, told: Told, env: Mapping[str, str]) -> Standing:
        return standing_of(told, env, self.row.token_variable)

    def refusal_of_metered(self, standing: Standing) -> AuthError:
        if standing.login == "unknown":
            what = (
                f"it is unknown whether a Claude plan pays for `claude`; it reports its login as: {standing.said}"
            )
        else:
            what = (
                f"`claude` is logged in to an account that bills per call ({standing.said}), not to a Claude plan"
            )
        return MeteredNotAllowed(what, hint="claude auth login --claudeai")

    def arguments(self, call: Call, env: Mapping[str, str]) -> tuple[str, ...]:
        model = () if call.model is None else ("--model", call.model)
        return (*_FLAGS, "--system-prompt-file", str(call.room / _PROMPT_FILE), *model)

    def variables(self, room: Path, call: Call | None) -> Mapping[str, str]:
        # Where Anthropic's programs keep profiles that an account pays for; nothing there, nothing taken.
        quiet = {**_QUIET, "ANTHROPIC_CONFIG_DIR": str(room / "no-profiles")}
        if call is None:
            return quiet
        own = {"CLAUDE_CODE_TMPDIR": str(room)}
        if call.base_url is not None:
            own["ANTHROPIC_BASE_URL"] = call.base_url
        if call.max_tokens is not None:
            own["CLAUDE_CODE_MAX_OUTPUTTOKENS"] = str(call.max_tokens)
        return {**quiet, **_PLAIN, **own}

    def files(self, call: Call) -> Mapping[str, str]:
        return {_PROMPT_FILE: call.system_prompt or _NO_ROLE}

    def turn(self, prompt: str, files: Sequence[Attachment] = ()) -> bytes:
        content = content_of(Message("user", prompt, attachments=tuple(files)))
        line = {
            "type": "user",
            "client_composed": True,  # verbatim: no command in it, no file
            "parent_tool_use_id": None,
            "message": {"role": "user", "content": content},
        }
        return json.dumps(line).encode() + b"\n"

    def reader(self, target: Target, call: Call, prompt: str) -> ClaudeTurn:
        return ClaudeTurn(target)


_NO_ROLE = "You are a helpful assistant."  # without our prompt it would send that of its coding agent
