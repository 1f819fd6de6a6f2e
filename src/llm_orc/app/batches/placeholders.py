"""Columns in a text: `{{column}}`, or `${inputs.column}`. A value is put in once; what is in it stays as it is."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from llm_orc.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.jsontypes import JsonValue

_PLACEHOLDER = re.compile(r"\{\{([^{}]+)\}\}")
_REFERENCE = re.compile(r"(?<!\$)\$\{\s*inputs\.([^{}]+)\}")


def placeholders(text: str) -> tuple[str, ...]:
    """Return the names in `{{name}}`, each once."""
    return tuple(name for name in dict.fromkeys(map(str.strip, _PLACEHOLDER.findall(text))) if name)


def fill(text: str, values: Mapping[str, JsonValue]) -> str:
    """Fill in the values. Raises `InputError` if one is missing."""
    missing = next((name for name in placeholders(text) if name not in values), None)
    if missing is not None:
        raise InputError(f"the input has no `{missing}`")
    return fill_known(text, values)


def fill_known(text: str, values: Mapping[str, JsonValue]) -> str:
    """Fill in the values that are there; other braces stay as they are."""
    return _PLACEHOLDER.sub(
        lambda match: as_text(values[match[1].strip()]) if match[1].strip() in values else match[0], text
    )


def rename(text: str, names: Mapping[str, str]) -> str:
    """Rename placeholders by `names`; others stay."""
    return _PLACEHOLDER.sub(
        lambda match: "{{" + names[match[1].strip()] + "}}" if match[1].strip() in names else match[0], text
    )


def as_text(value: JsonValue) -> str:
    """Return the text that a value becomes: a string as it is, null as nothing, all else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def with_placeholders(template: str) -> str:
    """Return the template of a task with `{{column}}` for each `${inputs.column}`."""
    return _REFERENCE.sub(lambda match: "{{" + match[1].strip() + "}}", template)
