"""List, show, fork and delete stored conversations."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from llm_orc.app.files.cleaning import remove_unused_contents
from llm_orc.conversations.conversation import Turn
from llm_orc.dataclass import dataclass
from llm_orc.errors import ConversationNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.app.wiring import App
    from llm_orc.conversations.conversation import Conversation
    from llm_orc.conversations.store import ConversationStore


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A conversation in a list; times are Unix seconds. `cost_usd` None: a price is not known."""

    name: str
    ensemble: str
    agents: tuple[str, ...]
    turns: int
    created_at: float
    changed_at: float
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    forked_from: str | None


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """What was said: the requested newest turns, and the number of earlier ones."""

    summary: ConversationSummary
    turns: tuple[Turn, ...]
    earlier: int


def list_conversations(
    app: App, *, limit: int | None = 30, ensemble: str | None = None, since: float | None = None
) -> tuple[ConversationSummary, ...]:
    """Return conversations, most recently changed first; all of them with `limit` None."""
    if not app.paths.conversations_database.exists():
        return ()
    with conversations(app) as store:
        return tuple(_summary(store, found) for found in store.all(limit=limit, ensemble=ensemble, since=since))


def count_conversations(app: App) -> int:
    if not app.paths.conversations_database.exists():
        return 0
    with conversations(app) as store:
        return len(store.all())


def get_conversation(
    app: App, name: str, *, agent: str | None = None, newest: int | None = None
) -> ConversationRecord:
    """Return a conversation by its name or `last`. Raises `ConversationNotFound`, also for an agent not in it."""
    with conversations(app) as store:
        found = store.find(name)
        summary = _summary(store, found)
        if agent is not None and agent not in summary.agents:
            raise ConversationNotFound(
                f"agent `{agent}` has said nothing in conversation `{name}`",
                hint=f"It has: {', '.join(summary.agents)}." if summary.agents else None,
            )
        turns = store.turns(found, agent=agent, newest=newest)
        earlier = 0 if newest is None or len(turns) < newest else store.count(found, agent=agent) - len(turns)
        return ConversationRecord(summary, tuple(turns), earlier)


def fork_conversation(app: App, name: str, new: str) -> ConversationSummary:
    """Copy a conversation. Raises `ConversationNotFound`, `ConversationBusy`, `InputError`: the name is taken."""
    with conversations(app) as store:
        return _summary(store, store.fork(store.find(name), new, app.clock.now()))


def delete_conversations(app: App, names: Sequence[str]) -> tuple[str, ...]:
    """Delete conversations with all their turns; return their names. Raises before any is deleted."""
    with conversations(app) as store:
        found = {c.number: c for c in (store.find(name) for name in names)}
        store.delete([*found.values()], app.clock.now())
    remove_unused_contents(app)
    return tuple(c.name for c in found.values())


@contextmanager
def conversations(app: App) -> Iterator[ConversationStore]:
    store = app.open_conversations()
    try:
        yield store
    finally:
        store.close()


def _summary(store: ConversationStore, conversation: Conversation) -> ConversationSummary:
    figures = store.figures(conversation)
    return ConversationSummary(
        name=conversation.name,
        ensemble=conversation.ensemble,
        agents=figures.agents,
        turns=figures.turns,
        created_at=conversation.created_at,
        changed_at=conversation.changed_at,
        input_tokens=figures.input_tokens,
        output_tokens=figures.output_tokens,
        cost_usd=figures.cost_usd,
        forked_from=conversation.forked_from,
    )
