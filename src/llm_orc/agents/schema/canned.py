"""An answer by a schema where nobody is asked: in rehearsals, so that references and conditions have values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llm_orc.schemas.example import NoExample, example_of
from llm_orc.schemas.validate import checker_for

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.schemas.walk import Schema


def canned_answer(schema: Schema) -> tuple[str, JsonValue] | None:
    """Return a value that satisfies the schema, as text and as data; None: none was found."""
    try:
        example = example_of(schema, "[canned]")
    except NoExample:
        return None
    if checker_for(schema).complaints(example):
        return None
    return json.dumps(example, ensure_ascii=False), example
