"""Keys of earlier releases: older spellings, and those that say nothing here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_orc.settings.field import Field, Fields
from llm_orc.storage.field_types import choice, optional

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.kind import Say
    from llm_orc.agents.spec import Requires, Sees

OLDER_FIELDS: Fields = {
    "on_dependency_failure": Field(
        optional(choice("run", "skip")),
        "The older spelling of `requires`. `run` is `none`, but an answer that it gives although no agent"
        " that it needs has answered counts as none for others. `skip` is `any`.",
        "counts",
    ),
    "input_scope": Field(
        optional(choice("dependencies", "all")), "The older spelling of `sees`.", "counts", default_text="`all`"
    ),
}
"""Older spellings among the keys of an agent."""

IGNORED_KEYS: Mapping[str, str | None] = {
    "validation": "A run is checked by a condition on its answers: `fails_when`.",
    "seat_contract": None,
    "topaz_skill": None,
    "serves": None,
    "output_substrate": None,
    "output_schema": None,
}
"""Keys of an ensemble that say nothing to this release, with what takes their place."""


def requires_of(agent: str, values: Mapping[str, Any], say: Say, *, default: Requires) -> Requires:
    """Return how many of the needed agents must have answered, in either spelling."""
    older = values.get("on_dependency_failure")
    if older is None:
        return values.get("requires") or (default if values.get("depends_on") else "all")
    if values.get("requires") is not None:
        message = f"agent `{agent}` has both `requires` and `on_dependency_failure`, its older spelling"
        say("on_dependency_failure", message, "Keep `requires`.")
    if not values.get("depends_on"):
        say("on_dependency_failure", f"agent `{agent}` has `on_dependency_failure`, and depends on nothing")
    return "none" if older == "run" else "any"


def sees_of(agent: str, values: Mapping[str, Any], say: Say) -> Sees:
    """Return what the agent sees, in either spelling."""
    older: Sees | None = values.get("input_scope")
    if older is not None and values.get("sees") is not None:
        say(
            "input_scope",
            f"agent `{agent}` has both `sees` and `input_scope`, its older spelling",
            "Keep `sees`.",
        )
    return values.get("sees") or older or "all"


def check_input_key(agent: str, values: Mapping[str, Any], say: Say) -> None:
    """Say what keeps `input_key` from being what the agent is given."""
    if values.get("input_key") is None:
        return
    if not values.get("depends_on"):
        say(
            "input_key",
            f"agent `{agent}` has `input_key`, and depends on nothing",
            "It is a field of what the first agent of `depends_on` answers.",
        )
    for other in ("prompt", "stdin", "task", "sees", "input_scope"):
        if values.get(other) is not None:
            say(
                "input_key",
                f"agent `{agent}` has both `input_key` and `{other}`",
                "Each of them says what it is given: keep one.",
            )
