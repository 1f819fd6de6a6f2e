"""How a request asks for an answer by its schema: by the protocol's own means where it has them, else in words."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.providers.structured.subset import SUBSETS
from llm_orc.providers.structured.translate import WRAPPED, translated
from llm_orc.providers.structured.words import with_schema
from llm_orc.schemas.walk import Schema

if TYPE_CHECKING:
    from llm_orc.catalog.rows import DialectName
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.base import ModelRequest, Target
    from llm_orc.providers.structured.translate import SentSchema

NAME = "answer"
"""What the schema is called where a protocol wants a name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`schema` goes into the request; None: it has none, or it is in the system prompt."""

    system_prompt: str | None
    schema: Schema | None = None
    is_wrapped: bool = False


def asked_for(request: ModelRequest, target: Target, dialect: DialectName, field: str) -> Asked:
    """Return how `request` asks. `field` is the one of the body that the schema goes into."""
    if request.schema is None:
        return Asked(request.system_prompt)
    subset = SUBSETS[dialect]
    is_old = subset.not_models.search(target.model.rpartition("/")[2]) is not None
    refuses = is_old or field in target.calls.leave_out or refuses_with_tools(request, target, dialect)
    sent = None if request.schema_in_words or refuses else _sent(json.dumps(request.schema), dialect)
    if sent is None:
        return Asked(with_schema(request.system_prompt, request.schema))
    return Asked(request.system_prompt, sent.schema, sent.is_wrapped)


def refuses_with_tools(request: ModelRequest, target: Target, dialect: DialectName) -> bool:
    """Whether the request offers tools, and the model takes either them or the form of its answer."""
    return bool(request.tools) and SUBSETS[dialect].not_with_tools.search(target.model) is not None


@lru_cache(maxsize=256)
def _sent(schema: str, dialect: DialectName) -> SentSchema | None:
    return translated(json.loads(schema), SUBSETS[dialect])


def unwrapped(text: str) -> str:
    """Return the value of an answer in an object that stands for it; another answer as it is."""
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return text
    is_wrapped = isinstance(value, dict) and value.keys() == {WRAPPED}
    return json.dumps(value[WRAPPED], ensure_ascii=False) if is_wrapped and isinstance(value, dict) else text
