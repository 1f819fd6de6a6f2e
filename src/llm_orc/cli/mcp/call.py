"""`llm-orc mcp call`: call one tool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from llm_orc.cli.shell.arguments import McpServerName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.errors import InputError
from llm_orc.formats.printable import printable

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.mcp.client import Progress


@define_command()
@click.argument("server", type=McpServerName())
@click.argument("tool")
@click.argument("arguments", required=False)
@click.option("--arg", "single", multiple=True, metavar="NAME=VALUE", help="One argument; JSON, else text.")
@json_option
def command(*, server: str, tool: str, arguments: str | None, single: tuple[str, ...], as_json: bool) -> int:
    """Call TOOL of SERVER with ARGUMENTS, a JSON object or `@FILE`, and print what it returns.

    The exit code is 1 if the tool says that it failed.

    \b
    llm-orc mcp call files read '{"path": "README.md"}'
    llm-orc mcp call github search --arg query="is:open label:bug" --arg limit=5
    """
    from llm_orc.app.tools.offers import call_tool
    from llm_orc.net.event_loop import run_to_end

    given = {**_object(arguments), **dict(_pair(one) for one in single)}

    def show(progress: Progress) -> None:
        total = "" if progress.total is None else f" of {progress.total:g}"
        note(f"{progress.done:g}{total} {progress.message}".rstrip())

    result = run_to_end(call_tool(app_here(), server, tool, given, show))
    if as_json:
        write_json(
            {
                "text": result.text,
                "data": result.data,
                "is_error": result.is_error,
                "left_out": [*result.left_out],
            }
        )
    else:
        text = printable(result.text)
        write_data(text if not text or text.endswith("\n") else f"{text}\n")
        for content in result.left_out:
            note(f"Left out: {content}")
        if result.is_error:
            note("The tool failed.")
    return 1 if result.is_error else 0


def _object(arguments: str | None) -> dict[str, JsonValue]:
    if arguments is None:
        return {}
    text = arguments
    if arguments.startswith("@"):
        try:
            text = Path(arguments[1:]).read_text(encoding="utf-8")
        except (OSError, ValueError) as e:
            raise InputError(f"`{arguments[1:]}` can't be read: {getattr(e, 'strerror', None) or e}") from e
    try:
        found: dict[str, JsonValue] = msgspec.json.decode(text, type=dict)
    except (msgspec.DecodeError, msgspec.ValidationError) as e:
        hint = "Write `'{\"NAME\": VALUE}'`."
        raise UsageMistake(f"`ARGUMENTS` must be a JSON object: {e}", hint=hint) from e
    return found


def _pair(text: str) -> tuple[str, JsonValue]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise UsageMistake(f"`--arg` takes NAME=VALUE, not `{text[:80]}`")
    try:
        read: JsonValue = msgspec.json.decode(value)
    except msgspec.DecodeError:
        read = value
    return name, read
