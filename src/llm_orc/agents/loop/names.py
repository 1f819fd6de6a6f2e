"""The names that are known after each round of a loop."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.references.names import ROUND

if TYPE_CHECKING:
    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.turn import RoundValues

BODY = "loop"
"""What a loop calls the graph that it runs."""


def after_round(scope: Scope, values: RoundValues) -> Scope:
    """Return the scope of a round's agents as the loop knows it: with the round, and the one before.

    The agents themselves know those only where they stand in the loop, and not in an ensemble of its own.
    """
    known = scope.names
    names = replace(known, local=known.local | {ROUND}, last=known.agents)
    return replace(scope, names=names, local={**scope.local, **values.local}, last=_alone(values.last))


def _alone(scope: Scope | None) -> Scope | None:
    """Return the scope without the rounds before it, to which nothing can refer any more."""
    return None if scope is None else replace(scope, last=None)
