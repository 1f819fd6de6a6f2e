"""A schema in words, for a model that takes none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_orc.schemas.walk import Schema

JSON_ONLY = "Answer with one valid JSON document and nothing else: no prose before or after it, no code fence."


def with_schema(system_prompt: str | None, schema: Schema) -> str:
    """Return the system prompt with the schema behind it."""
    written = json.dumps(schema, ensure_ascii=False)
    asked = f"{JSON_ONLY}\nIt has to satisfy this JSON Schema:\n{written}" if schema else JSON_ONLY
    return f"{system_prompt}\n\n{asked}" if system_prompt else asked
