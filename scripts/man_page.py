"""The man page, made from the table of commands (man(7))."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from llm_orc._version import VERSION
from llm_orc.cli.root import root
from llm_orc.cli.table import ABOUT, COMMANDS, DEBUG, DIRECTORY, EXAMPLES, EXIT_CODES, HELP, LINKS, NO_INPUT
from llm_orc.cli.table import VERSION as VERSION_OPTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OPTIONS = (VERSION_OPTION, DIRECTORY, NO_INPUT, DEBUG, HELP)
_MORE = r"\fBllm-orc help\fR \fICOMMAND\fR shows the options of each command."
_VARIABLES = (
    ("LLM_ORC_NO_INPUT", "Any value but `0` has the effect of --no-input."),
    ("NO_COLOR, CLICOLOR_FORCE, FORCE_COLOR, CLICOLOR", "Colours; the first of them that is set decides."),
    ("LLM_ORC_…", "Most settings; `llm-orc config show` lists them, and docs/reference/configuration.md."),
)
_FILES = (
    ("~/.config/llm-orc/config.yaml", "The user's settings; `llm-orc config path` says where they are here."),
    ("~/.config/llm-orc/ensembles/", "The user's ensembles."),
    (".llm-orc/", "The settings and ensembles of a project."),
)


def man_page() -> str:
    lines = [
        r".\" Made by scripts/generate_docs; not edited by hand.",
        f'.TH LLM-ORC 1 "" "llm-orc {VERSION}" "User Commands"',
        *_section("NAME", [rf"llm-orc \- {_escaped('describe and run ensembles of LLM agents')}"]),
        *_section("SYNOPSIS", [".B llm-orc", r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGS\fR]..."]),
        *_section(
            "DESCRIPTION",
            [_escaped(ABOUT), _MORE],
        ),
        *_section("OPTIONS", _items((option.usage, option.help) for option in _OPTIONS)),
        *_section("COMMANDS", _commands()),
        *_section("EXIT STATUS", _verbatim(EXIT_CODES.splitlines()[1:])),
        *_section("ENVIRONMENT", _items(_VARIABLES)),
        *_section("FILES", _items(_FILES)),
        *_section("EXAMPLES", _verbatim(EXAMPLES.splitlines())),
        *(_section("SEE ALSO", _items(LINKS)) if LINKS else ()),
    ]
    return "\n".join(lines) + "\n"


def _commands() -> Iterator[str]:
    for section in dict.fromkeys(row.section for row in COMMANDS):
        yield f".SS {_escaped(section)}"
        for row in COMMANDS:
            if row.section == section:
                yield from _items([(row.name, row.summary)])
                yield from _of_group(row.name)


def _of_group(name: str) -> Iterator[str]:
    context = click.Context(root)
    group = root.get_command(context, name)
    if isinstance(group, click.Group):
        yield ".RS"
        for inner in group.list_commands(context):
            command = group.get_command(context, inner)
            assert command is not None, inner
            yield from _items([(f"{name} {inner}", command.get_short_help_str(200))])
        yield ".RE"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f'.SH "{title}"'
    yield from lines


def _items(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in rows:
        yield from (".TP", rf"\fB{_escaped(term)}\fR", _escaped(text))


def _verbatim(lines: Iterable[str]) -> Iterator[str]:
    yield from (".nf", *map(_escaped, lines), ".fi")


def _escaped(text: str) -> str:
    """Escape what roff would interpret: backslashes, hyphens, and a dot or quote at the start of a line."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...").replace("~", r"\(ti")
    return re.sub(r"^(?=[.'])", r"\\&", escaped)
