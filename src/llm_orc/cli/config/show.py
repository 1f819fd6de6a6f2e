"""`llm-orc config show`: each setting, and the file and line that it comes from."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.arguments import SettingName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import columns, note, write_data
from llm_orc.cli.shell.output.tables import Column, table
from llm_orc.errors import InputError
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.settings.model import Settings

_DEFAULT = "default"  # where a value comes from that nobody sets
_HEADING = (Column("SETTING", shrinks=True), Column("VALUE", shrinks=True), Column("FROM", shrinks=True))


@define_command()
@click.argument("key", required=False, type=SettingName())
@click.option("--all", "show_all", is_flag=True, help="Show also what comes with the program, and defaults.")
@json_option
def command(*, key: str | None, show_all: bool, as_json: bool) -> None:
    """Show the settings in effect here: all, or those whose name starts with KEY.

    A flag overrides the environment, which overrides the project, which overrides your own files, which override
    the built-in defaults.

    \b
    llm-orc config show providers.openai
    """
    app = app_here()
    settings = app.settings
    values = {**settings.defaults, **settings.written}
    found = {
        name: value
        for name, value in sorted(values.items())
        if (key is None or name == key or name.startswith(f"{key}."))
        and (show_all or key is not None or _is_set(settings, name))
    }
    if key is not None and not found:
        raise InputError(
            f"nothing is set under `{key}`",
            hint=did_you_mean(key, values) or "llm-orc config show --all",
        )
    if as_json:
        write_json([_value(settings, name, value) for name, value in found.items()])
    elif found:
        rows = [(name, _words(value), str(settings.origins.get(name, _DEFAULT))) for name, value in found.items()]
        write_data(table(_HEADING, rows, columns(sys.stdout)))
    else:
        note(f"Only the built-in defaults are set. Your own file: {app.paths.config / 'config.yaml'}")
    for withheld in settings.withheld:
        note(f"Left out: `{withheld.key}` of {withheld.origin}, as its project is not trusted (llm-orc trust).")


def _is_set(settings: Settings, name: str) -> bool:
    """Whether it is set by a file of the user or a project, the environment, or a flag."""
    return name in settings.origins and settings.origins[name].layer != "packaged"


def _words(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(settings: Settings, name: str, value: JsonValue) -> JsonValue:
    origin = settings.origins.get(name)
    return {
        "setting": name,
        "value": value,
        "layer": origin.layer if origin else _DEFAULT,
        "file": str(origin.file) if origin and origin.file else None,
        "line": origin.line or None if origin else None,
    }
