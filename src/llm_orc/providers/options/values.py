"""The value types of request options: what each must be, and the message for a wrong one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_orc.storage.field_types import (
    FieldType,
    WrongValue,
    field_type,
    json_mapping,
    number,
    type_of,
    whole_number,
)

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue

_LARGEST = 2.0**53  # beyond it, not every JSON reader keeps a number exact

ANY_NUMBER = number(-_LARGEST, _LARGEST)
POSITIVE = number(0, _LARGEST)
FRACTION = number(0, 1)
PENALTY = number(-10, 10)
COUNT = whole_number(0)
TOKENS = whole_number(1)
ANY_WHOLE_NUMBER = whole_number(-(2**53))
FROM_MINUS_ONE = whole_number(-1)  # -1 is "no limit", or "as the model says", at servers for local models
MAPPING = json_mapping


@field_type({"const": 1}, "1")
def one_answer(value: JsonValue) -> int:
    if value == 1 and not isinstance(value, bool):
        return 1
    raise WrongValue("1: every answer is billed, and one is read", "Run the agent several times instead.")


@field_type({"type": "string"}, "one word")
def word(value: JsonValue) -> str:
    if isinstance(value, str) and len(value) <= 100:
        return value
    raise WrongValue("one word" if isinstance(value, str) else f"one word, not {type_of(value)}")


@field_type({"type": "string"}, "text")
def any_text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    raise WrongValue(f"text, not {type_of(value)}")


@field_type({"type": ["string", "array", "null"]}, "text, or a list of texts")
def texts(value: JsonValue) -> JsonValue:
    """A text or a list of them, like stop sequences."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise WrongValue("text, or a list of texts")


@field_type({"type": "array", "items": {"type": "integer"}}, "a list of whole numbers")
def whole_numbers(value: JsonValue) -> JsonValue:
    if isinstance(value, list) and all(isinstance(item, int) and not isinstance(item, bool) for item in value):
        return value
    raise WrongValue("a list of whole numbers")


@field_type({"type": ["boolean", "null"]}, "`true` or `false`")
def switch(value: JsonValue) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise WrongValue(f"`true` or `false`, not {type_of(value)}")


@field_type({"type": "object"}, "a mapping with a number for each token")
def numbers_by_name(value: JsonValue) -> JsonValue:
    """Numbers by token, like `logit_bias`."""
    if isinstance(value, dict) and all(_is_number(item) for item in value.values()):
        return value
    raise WrongValue("a mapping with a number for each token")


@field_type({"type": "object"}, "a mapping with a word, a number, `true` or `false` for each name")
def plain_mapping(value: JsonValue) -> JsonValue:
    """Words, numbers and switches by name: nothing nested."""
    if isinstance(value, dict) and all(isinstance(v, str | bool) or _is_number(v) for v in value.values()):
        return value
    raise WrongValue("a mapping with a word, a number, `true` or `false` for each name")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@field_type({"type": ["array"], "items": {"const": "TEXT"}}, "`[TEXT]`")
def text_only(value: JsonValue) -> JsonValue:
    if isinstance(value, list) and all(isinstance(v, str) and v.upper() == "TEXT" for v in value):
        return value
    raise WrongValue("`[TEXT]`: agents answer in text")


def either(*types: FieldType[Any]) -> FieldType[Any]:
    """Any one of `types`; the message is the first one's."""

    def read(value: JsonValue) -> Any:
        complaint: WrongValue | None = None
        for one in types:
            try:
                return one(value)
            except WrongValue as e:
                complaint = complaint or e
        assert complaint is not None
        raise complaint

    return FieldType(read, {}, ", or ".join(one.description for one in types))
