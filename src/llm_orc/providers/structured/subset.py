"""What of JSON Schema each protocol takes: one row each, from the providers' pages and the checks of their SDKs.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs
https://platform.openai.com/docs/guides/structured-outputs
https://ai.google.dev/gemini-api/docs/structured-output
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from llm_orc.catalog.rows import DialectName

_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})


@dataclass(frozen=True, slots=True)
class Subset:
    """`keywords` are those that a schema of each type may have beside what all have.

    `is_closed`: an object has the named properties and no others. `all_required`: each of them has to be there, so
    that one that may be missing can be null instead. `one_value`: the name of the keyword for "one of these".
    `literals_have_types`: a schema with `enum` has a `type` too. `recursive`: how a schema may refer to itself.
    `not_models` are the names of models that don't take a schema, `not_with_tools` of those that take none beside
    tools.
    """

    keywords: Mapping[str, frozenset[str]]
    formats: frozenset[str]
    is_closed: bool
    all_required: bool
    literals_have_types: bool
    recursive: Literal["yes", "no", "optional"]
    needs_object: bool  # the value as a whole is an object
    takes_tuples: bool = False
    least_items: frozenset[int] | None = None  # the values of `minItems` that it takes; None: any
    not_models: re.Pattern[str] = field(default=re.compile(r"(?!)"), compare=False)
    not_with_tools: re.Pattern[str] = field(default=re.compile(r"(?!)"), compare=False)
    most_properties: int = 5_000
    most_levels: int = 100
    most_optional: int = 10_000  # properties that need not be there
    most_choices: int = 10_000  # values of all `enum`
    most_unions: int = 10_000  # parts with several types


_NO_LIMITS: frozenset[str] = frozenset()
_NUMBER = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})

SUBSETS: Mapping[DialectName, Subset] = {
    "anthropic": Subset(
        {"array": frozenset({"minItems"})},
        _FORMATS | {"uri"},
        is_closed=True,
        all_required=False,
        literals_have_types=False,
        recursive="no",
        needs_object=True,
        least_items=frozenset({0, 1}),
        # Models before 4.5, and 4.1 of Opus; the names of 4.0 have only their date behind the 4.
        not_models=re.compile(r"claude-(?:[0-3]\b|instant|(?:opus|sonnet)-4(?:-0|-20\d{6})?$|(?:opus|sonnet)-4@)"),
        most_optional=24,
        most_unions=16,
    ),
    "openai-chat": (
        OPENAI := Subset(
            {
                "number": _NUMBER,
                "integer": _NUMBER,
                "array": frozenset({"minItems", "maxItems"}),
                "string": frozenset({"pattern"}),
            },
            _FORMATS,
            is_closed=True,
            all_required=True,
            literals_have_types=True,
            recursive="yes",
            needs_object=True,
            not_models=re.compile(
                r"gpt-3\.5|gpt-4(?:-\d{4}|-turbo|-32k|-vision|$)|gpt-4o-2024-05-13|chatgpt-4o|o1-(?:mini|preview)"
            ),
            most_levels=10,
            most_choices=1_000,
        )
    ),
    "openai-responses": OPENAI,
    "gemini": Subset(
        {
            "number": frozenset({"minimum", "maximum"}),
            "integer": frozenset({"minimum", "maximum"}),
            "array": frozenset({"minItems", "maxItems"}),
        },
        frozenset({"date-time", "date", "time"}),
        is_closed=False,
        all_required=False,
        literals_have_types=True,
        recursive="no",
        needs_object=False,
        takes_tuples=True,
        not_models=re.compile(r"gemini-(?:1|pro)|gemma"),
        not_with_tools=re.compile(r"gemini-[12]\b"),
    ),
}
