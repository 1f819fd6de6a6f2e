"""What a file of an untrusted project may do with a key: each row of a schema says so, or it needs trust."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from llm_orc.storage.yaml_fields import Described, schema_of

if TYPE_CHECKING:
    from llm_orc.storage.yaml_fields import Kind

Right = Literal["words", "chooses", "lowers", "trust", "users"]
"""`words` count at once. What `chooses` counts, and is never anybody's agreement to pay. What `lowers` counts
where it is lower than what the user has. `users` counts in the user's own files alone. All else needs `trust`.
"""


@dataclass(frozen=True, slots=True)
class Row(Described):
    """A kind whose key an untrusted project may use, as far as `right` goes."""

    right: Right = "trust"


def words(kind: Kind) -> Row:
    """Mark what only says something: prompts, names, descriptions, who waits for whom."""
    return Row(kind, schema_of(kind), "words")


def chooses(kind: Kind) -> Row:
    """Mark what says which model, provider, profile or way in to use."""
    return Row(kind, schema_of(kind), "chooses")


def lowers(kind: Kind) -> Row:
    """Mark a limit; of `true` and `false`, the lower one is `false`."""
    return Row(kind, schema_of(kind), "lowers")


def users_only(kind: Kind) -> Row:
    """Mark what no project may set, trusted or not."""
    return Row(kind, schema_of(kind), "users")


def right_of(kind: Kind | None) -> Right:
    """Return the right of a row. A row that says nothing, or that is unknown, needs trust."""
    return kind.right if isinstance(kind, Row) else "trust"
