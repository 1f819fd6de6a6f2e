"""What a provider refuses in requests (`CallRules.leave_out`): what is left out, and what must not be.

Sampling and the limit of an answer are left out, and the user is told: the answer is of the same kind. Any other
option is a problem instead: without it the request would mean something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.providers.options.request import OptionProblem, extra_options
from llm_orc.providers.options.table import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llm_orc.catalog.call_rules import CallRules
    from llm_orc.catalog.rows import DialectName
    from llm_orc.jsontypes import JsonValue

_GENERATION = "generationConfig"


def takes_limit(rules: CallRules) -> bool:
    """Whether a request may limit the length of its answer."""
    return not any(name in rules.leave_out for name in LIMITS)


def without_refused(body: dict[str, JsonValue], rules: CallRules) -> dict[str, JsonValue]:
    """Return the body of a request without what the provider refuses.

    A limit of the answer goes under all its names, and fields go from the mapping that Gemini has for them, too.
    """
    names = {*rules.leave_out, *(() if takes_limit(rules) else LIMITS)}
    if not names:
        return body
    kept = {name: value for name, value in body.items() if name not in names}
    generation = kept.get(_GENERATION)
    if isinstance(generation, dict):
        kept[_GENERATION] = {name: value for name, value in generation.items() if name not in names}
    return kept


def left_out(
    rules: CallRules, options: Mapping[str, JsonValue], *, temperature: float | None, max_tokens: int | None
) -> tuple[str, ...]:
    """Return the names of the parameters and options that are set and not sent, as they are written in YAML."""
    names = []
    if temperature is not None and "temperature" in rules.leave_out:
        names.append("temperature")
    if max_tokens is not None and not takes_limit(rules):
        names.append("max_tokens")
    names += [f"options.{name}" for name in options if name in rules.leave_out and name not in LIMITS]
    return tuple(names)


def unsendable(
    rules: CallRules, options: Mapping[str, JsonValue], dialects: Sequence[DialectName]
) -> Iterator[OptionProblem]:
    """Yield a problem for each option that is more than sampling and that the provider refuses."""
    for extra in extra_options(options, dialects):
        if extra.path[0] in rules.leave_out:
            yield OptionProblem(
                extra.path,
                "is refused by this provider, and without it the request would mean something else",
                "Remove it, or use another provider.",
            )
