"""Write a recorded run in one of the output formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.formats.format import EventFormat
from llm_orc.formats.table import load_format

if TYPE_CHECKING:
    from llm_orc.app.history.runs import RunRecord


def record_text(record: RunRecord, format_name: str) -> str:
    form = load_format(format_name)
    if isinstance(form, EventFormat):
        return "".join(form.event(event) + "\n" for event in record.events)
    return form.result(record.result)
