"""Find the class of an error by its code, as records of runs have it."""

from __future__ import annotations

from functools import cache

from llm_orc.errors.base import LlmOrcError


@cache
def error_class(code: str) -> type[LlmOrcError]:
    """Return the class with this code; `LlmOrcError` itself for a code of another release."""
    left = [LlmOrcError]
    while left:
        kind = left.pop()
        if kind.code == code:
            return kind
        left += kind.__subclasses__()
    return LlmOrcError
