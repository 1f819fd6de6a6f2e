"""Which ensemble began a conversation, and which others may continue it. A name alone proves nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.app.projects.in_force import trust_command
from llm_orc.errors import InputError, NotTrusted

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.conversations.conversation import Conversation
    from llm_orc.conversations.store import ConversationStore
    from llm_orc.ensembles.ensemble import Ensemble

_PACKAGED = ("llm_orc", "ensembles", "packaged")


def is_begun_by(conversation: Conversation, ensemble: Ensemble) -> bool:
    """Whether this ensemble began it: same name and same file, or the same packaged ensemble."""
    if conversation.ensemble != ensemble.name:
        return False
    source = ensemble.source
    if source is not None and source.place == "packaged" and conversation.source is not None:
        began = Path(conversation.source)
        return began.name == Path(source.path).name and began.parts[-4:-1] == _PACKAGED
    if source is None or conversation.source is None:
        return source is None and conversation.source is None
    return os.path.normpath(conversation.source) == os.path.normpath(source.path)


def newest_of(store: ConversationStore, ensemble: Ensemble) -> Conversation | None:
    """Return the conversation that `ensemble` began and that changed last."""
    return next((c for c in store.all(ensemble=ensemble.name) if is_begun_by(c, ensemble)), None)


def conversation_named(app: App, name: str) -> Conversation | None:
    if not app.paths.conversations_database.exists():
        return None
    store = app.open_conversations()
    try:
        return store.get(name)
    finally:
        store.close()


def refuse_another_file(app: App, ensemble: Ensemble, name: str) -> None:
    """Refuse a conversation that another file began, unless the user names it. Raises `InputError`."""
    known = conversation_named(app, name)
    if known is not None and not is_begun_by(known, ensemble):
        raise InputError(
            f"{_begun(known)}, and `{ensemble.name}` is not told what was said there",
            hint=f"If you want that, pass `--conversation {name}`.",
        )


def refuse_untrusted(app: App, ensemble: Ensemble, name: str) -> None:
    """Refuse a conversation that the user named to a file of an untrusted project. Raises `NotTrusted`."""
    if ensemble.is_users or ensemble.source is None:
        return
    known = conversation_named(app, name)
    if known is not None and not is_begun_by(known, ensemble):
        path = ensemble.source.path
        raise NotTrusted(
            f"{_begun(known)}, and `{ensemble.name}` ({path}) is in a directory that you have not trusted",
            hint=f"Allow it with `{trust_command(app, path)}`, or start another one: `--conversation NAME`.",
        )


def _begun(known: Conversation) -> str:
    place = f" ({known.source})" if known.source else ""
    return f"conversation `{known.name}` was begun by ensemble `{known.ensemble}`{place}"
