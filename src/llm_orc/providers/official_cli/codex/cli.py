"""`codex`, OpenAI's command, as a model: one process for each call, without the user's tools, files and settings.

Tested with 0.160.0 and 0.171.0 and every model of their catalogs: no request offers a tool.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from llm_orc.catalog.rows import DialectName
from llm_orc.dataclass import dataclass
from llm_orc.errors import AccessNotSupported, MeteredNotAllowed
from llm_orc.net.text import one_line
from llm_orc.providers.official_cli.codex.models import without_tools
from llm_orc.providers.official_cli.codex.skills import without_skills
from llm_orc.providers.official_cli.codex.turn import CodexTurn
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

_ROLE_FILE = "instructions.md"
_MODELS_FILE = "models.json"
_SCHEMA_FILE = "schema.json"
_BY_PLAN = "Logged in using ChatGPT"  # the whole line; it is printed in no other case
# The login that `exec` uses without the user's settings, so that the status is for the same one.
_STORE = ("-c", "cli_auth_credentials_store=file")
_NO_TOOLS = (
    *("shell_tool", "apps", "plugins", "view_image", "image_generation", "goals", "tool_suggest", "multi_agent"),
)
# With `-c`, whose unknown keys only cause a notice; with `--disable` it would not start.
_OFF = (
    *("tools.experimental_request_user_input.enabled=false", "web_search=disabled", "features.hooks=false"),
    *("features.unbounded_connection_retries=false", "features.memories=false", "mcp_servers={}"),
    *("skills.bundled.enabled=false", "skills.include_instructions=false", "project_doc_max_bytes=0"),
    *("project_root_markers=[]", "include_permissions_instructions=false", "include_environment_context=false"),
    *("include_collaboration_mode_instructions=false", "analytics.enabled=false"),
    *("check_for_update_on_startup=false", "history.persistence=none", "features.shell_snapshot=false"),
)


@dataclass(frozen=True, slots=True)
class Codex(OfficialCli):
    """How `codex` is called and read."""

    status_arguments: ClassVar[tuple[str, ...]] = (*_STORE, "login", "status")
    models_arguments: ClassVar[tuple[str, ...]] = ("debug", "models", "--bundled")
    oldest: ClassVar[tuple[int, int, int]] = (0, 160, 0)
    keeps_talking: ClassVar[bool] = False
    takes_schema: ClassVar[DialectName | None] = "openai-responses"
    longest_prompt: ClassVar[int] = 1_000_000

    def standing(self, told: Told, env: Mapping[str, str]) -> Standing:
        lines = [line.strip() for line in f"{told.stdout}\n{told.stderr}".splitlines()]
        lines = [line for line in lines if line and not line.startswith("WARNING")]
        said = one_line(" ".join(lines), 120)
        if any("api key" in line.lower() for line in lines):
            return Standing("metered", said="an API key")
        if told.exit_code == 0 and _BY_PLAN in lines:
            return Standing("plan", plan="ChatGPT", said=_BY_PLAN)
        return Standing("none") if "Not logged in" in lines else Standing("unknown", said=said or "nothing")

    def refusal_of_metered(self, standing: Standing) -> AuthError:
        if standing.login == "unknown":
            what = (
                f"it is unknown whether a ChatGPT plan pays for `codex`; it reports its login as: {standing.said}"
            )
        else:
            what = f"`codex` is logged in with {standing.said}, which bills per token, not with a ChatGPT plan"
        return MeteredNotAllowed(what, hint="Log in again: `codex logout`, then `codex login`.")

    def arguments(self, call: Call, env: Mapping[str, str]) -> tuple[str, ...]:
        model = () if call.model is None else ("-m", call.model)
        server = () if call.base_url is None else _other_server(call.base_url)
        schema = () if call.schema is None else ("--output-schema", str(call.room / _SCHEMA_FILE))
        return (
            *("exec", "--json", "--skip-git-repo-check", "--ephemeral", "--ignore-user-config", "--ignore-rules"),
            *("-s", "read-only", "-C", str(call.room / "desk"), *_STORE),
            *(word for feature in _NO_TOOLS for word in ("--disable", feature)),
            *(word for setting in _OFF for word in ("-c", setting)),
            *("-c", f"model_instructions_file={_quoted(call.room / _ROLE_FILE)}"),
            *("-c", f"model_catalog_json={_quoted(call.room / _MODELS_FILE)}"),
            *(*without_skills(env), *server, *model, *schema, "-"),
        )

    def variables(self, room: Path, call: Call | None) -> Mapping[str, str]:
        return {}

    def files(self, call: Call) -> Mapping[str, str]:
        models = without_tools(call.models)
        if models is None:
            raise AccessNotSupported(
                "this `codex` does not list its models, so their tools can't be removed",
                hint="Update it: `npm install -g @openai/codex`; or try `codex debug models --bundled` by hand.",
            )
        files = {_ROLE_FILE: call.system_prompt or "You are a helpful assistant.", _MODELS_FILE: models}
        return files if call.schema is None else {**files, _SCHEMA_FILE: json.dumps(call.schema)}

    def turn(self, prompt: str, files: Sequence[Attachment] = ()) -> bytes:
        return prompt.encode("utf-8", "replace")

    def reader(self, target: Target, call: Call, prompt: str) -> CodexTurn:
        return CodexTurn(target, call.model or "")


def _quoted(text: str | Path) -> str:
    """Return it as a TOML string."""
    return json.dumps(str(text), ensure_ascii=False)


def _other_server(base_url: str) -> tuple[str, ...]:
    server = (
        f'{{name="llm-orc",base_url={_quoted(base_url)},wire_api="responses",requires_openai_auth=true,'
        "request_max_retries=1,stream_max_retries=1}"
    )
    return ("-c", "model_provider=llm-orc", "-c", f"model_providers.llm-orc={server}")
