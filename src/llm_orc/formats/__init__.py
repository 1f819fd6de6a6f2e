"""Events and results in, text out. Prints nothing.

A format is one module and one row here; `tests/formats/suite.py` then tests it.
"""

from __future__ import annotations

from llm_orc.formats import json_lines, json_result, markdown, text
from llm_orc.formats.format import EventFormat, Format, ResultFormat

FORMATS: dict[str, Format] = {
    f.name: f for f in (text.FORMAT, markdown.FORMAT, json_result.FORMAT, json_lines.FORMAT)
}

__all__ = ["FORMATS", "EventFormat", "Format", "ResultFormat"]
