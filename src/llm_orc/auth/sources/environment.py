"""The key in the variables that a provider's own tools read; the first one that is set counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.auth.source import find_api_key
from llm_orc.auth.sources.source import FoundCredential, Places, Wanted
from llm_orc.auth.standing import Standing, key_standing
from llm_orc.errors import AuthError

if TYPE_CHECKING:
    from collections.abc import Iterator


def in_environment(wanted: Wanted, places: Places) -> Iterator[FoundCredential]:
    for variable in wanted.variables:
        label = f"environment variable {variable}"
        try:
            found = find_api_key(places.environ, usual=(variable,), origin=wanted.origin)
        except AuthError as e:
            yield FoundCredential(
                "environment", "api-key", label, label, Standing("corrupt", e.message, e.hint, e)
            )
            continue
        if found is not None:
            standing = key_standing(found.secret, wanted.origin, places.refusals, label, wanted.provider)
            yield FoundCredential("environment", "api-key", label, label, standing, key=found)
