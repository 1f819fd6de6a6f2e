"""The kinds of agent, a row each: whatever differs between kinds is looked up here."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from llm_orc.agents.model import MODEL
from llm_orc.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.agents.kind import Kind
    from llm_orc.agents.work import Needs, Work

KINDS: dict[str, Kind] = {kind.key: kind for kind in (MODEL,)}


@contextmanager
def registered(kind: Kind) -> Iterator[None]:
    """Know one more kind of agent inside, in the whole process: the door for kinds from elsewhere."""
    if kind.key in KINDS:
        raise ValueError(f"there is a kind of agent `{kind.key}` already")
    KINDS[kind.key] = kind
    try:
        yield
    finally:
        del KINDS[kind.key]


def kind_of(work: Work) -> Kind:
    """Return the row of the work's kind."""
    try:
        return KINDS[work.kind]
    except KeyError:
        raise InternalError(f"no kind of agent is called `{work.kind}`") from None


def needs_of(work: Work) -> Needs:
    """Return what the work asks of the outside."""
    return kind_of(work).needs(work)
