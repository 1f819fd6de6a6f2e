"""The output formats, one row each. The table is light: a format is loaded when it is used.

A format is one module with a `FORMAT` and one row here; `tests/formats/suite.py` then tests it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from llm_orc.formats.format import Format


@dataclass(frozen=True, slots=True)
class FormatRow:
    """What `--output-format` calls a format, and the module of this room that writes it."""

    name: str
    module: str


FORMATS: dict[str, FormatRow] = {
    row.name: row
    for row in (
        FormatRow("text", "text"),
        FormatRow("markdown", "markdown"),
        FormatRow("json", "json_result"),
        FormatRow("jsonl", "json_lines"),
    )
}
FORMAT_NAMES = tuple(FORMATS)


def load_format(name: str) -> Format:
    """Return the format of that name. Raises `KeyError` if there is none."""
    form: Format = import_module(f"llm_orc.formats.{FORMATS[name].module}").FORMAT
    return form
