"""The conversation that a run belongs to: which one, which agents remember it, and how it is opened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import field, replace
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import needs_of
from llm_orc.agents.spec import WhenFull
from llm_orc.agents.turn import CallAgent
from llm_orc.app.runs.conversation_origin import newest_of, refuse_another_file, refuse_untrusted
from llm_orc.conversations.caller import ConversationCaller, HistoryCaller, Remembering
from llm_orc.conversations.lock import ConversationLock
from llm_orc.dataclass import dataclass
from llm_orc.errors import ConversationNotFound, InputError, StorageError
from llm_orc.providers.parts import FileRef

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llm_orc.agents.choice import ModelChoice
    from llm_orc.app.wiring import App
    from llm_orc.conversations.claims import Holder
    from llm_orc.conversations.conversation import Conversation
    from llm_orc.conversations.store import ConversationStore
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.providers.base import Message
    from llm_orc.runs.recipe import Recipe


@dataclass(frozen=True, slots=True)
class ConversationOptions:
    """What the person asked for: a name, the last conversation of this ensemble, or that nothing is remembered.

    `keep` False: agents are told what was said as far as it can be read, and nothing is added.
    """

    name: str | None = None
    go_on: bool = False
    forget: bool = False
    when_full: WhenFull | None = None
    keep: bool = True


def with_conversation(app: App, recipe: Recipe, options: ConversationOptions) -> Recipe:
    """Return the recipe with its conversation, if it has one.

    Raises `ConversationNotFound`, `InputError`, and `NotTrusted` where an untrusted file would be told another's.
    """
    ensemble = recipe.ensemble
    if options.forget:
        return recipe
    name = options.name
    if options.go_on:
        name = _last_of(app, ensemble)
    asked = name is not None or ensemble.conversation is not None
    remembering = tuple(
        spec.name
        for spec in ensemble.agents
        if (asked if spec.conversation is None else spec.conversation)
        and needs_of(spec.work).models
        and not spec.repeats  # what is asked about one item has nothing to do with the others
    )
    if not remembering:
        if asked and any(needs_of(spec.work).models for spec in ensemble.agents):
            raise InputError(f"no agent of `{ensemble.name}` remembers: each says `conversation: false`")
        return recipe
    if name is None:
        name = ensemble.conversation or ensemble.name
        refuse_another_file(app, ensemble, name)
    refuse_untrusted(app, ensemble, name)
    if name == "last":
        raise InputError("`last` is no name for a conversation", hint="`--continue` continues the last one.")
    when_full = options.when_full or ensemble.when_full or "error"
    return replace(
        recipe, conversation=name, remembering=remembering, when_full=when_full, keeps_turns=options.keep
    )


@dataclass(frozen=True, slots=True)
class Told:
    """The opened conversation of a run: `wrap` adds it to a caller.

    `characters` is the length of each history, and `files` are those that its questions came with.
    """

    wrap: Callable[[CallAgent], CallAgent] = lambda call: call
    characters: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, tuple[FileRef, ...]] = field(default_factory=dict)


@asynccontextmanager
async def conversation_of(
    app: App,
    recipe: Recipe,
    choices: Mapping[str, tuple[ModelChoice, ...]],
    run_id: str,
    waiting: Callable[[str], None],
) -> AsyncIterator[Told]:
    """Open the conversation of `recipe`, if it has one, for this run alone.

    A rehearsal only reads it, and so does a run that keeps no turns.
    """
    if recipe.conversation is None:
        yield _told_by_client(recipe) if recipe.said else Told()
        return
    if recipe.rehearsal or not recipe.keeps_turns:
        histories = await asyncio.to_thread(_histories, app, recipe)
        yield Told(lambda call: HistoryCaller(call, histories), files=_files_of(histories))
        return
    store = await asyncio.to_thread(app.open_conversations)
    try:
        conversation = await asyncio.to_thread(_begin, app, store, recipe)
        roles = {agent: choices[agent][0].system_prompt for agent in recipe.remembering}

        def say_who(holder: Holder) -> None:
            waiting(
                f"Process {holder.process} is in the middle of a turn of conversation `{conversation.name}`;"
                " waiting for its end…"
            )

        async with ConversationLock(store, conversation, run_id, now=app.clock.now, waiting=say_who) as speaking:
            remembering = Remembering(roles, recipe.when_full)
            characters = await asyncio.to_thread(
                lambda: {agent: store.told_length(conversation, agent) for agent in roles}
            )
            files = await asyncio.to_thread(
                lambda: _files_of({agent: store.history(conversation, agent) for agent in roles})
            )
            yield Told(lambda call: ConversationCaller(call, speaking, remembering), characters, files)
    finally:
        await asyncio.to_thread(store.close)


def _told_by_client(recipe: Recipe) -> Told:
    """Return what the client of a run brought along: each agent that is asked the task is told it."""
    length = sum(len(message.content) for message in recipe.said)
    hearing = [
        spec.name
        for spec in recipe.ensemble.agents
        if needs_of(spec.work).models and spec.sees != "dependencies" and not spec.repeats
    ]
    histories = dict.fromkeys(hearing, recipe.said)
    return Told(lambda call: HistoryCaller(call, histories), dict.fromkeys(hearing, length))


def _begin(app: App, store: ConversationStore, recipe: Recipe) -> Conversation:
    source = recipe.ensemble.source
    return store.begin(
        recipe.conversation or "", recipe.ensemble.name, source.path if source else None, app.clock.now()
    )


def _files_of(histories: Mapping[str, tuple[Message, ...]]) -> dict[str, tuple[FileRef, ...]]:
    return {agent: tuple(file for one in told for file in one.files) for agent, told in histories.items()}


def _histories(app: App, recipe: Recipe) -> dict[str, tuple[Message, ...]]:
    """Return each agent's history; nothing if it can't be read in a run that keeps no turns."""
    try:
        store = app.open_conversations()
    except StorageError:
        if recipe.keeps_turns:
            raise
        return {}
    try:
        known = store.get(recipe.conversation or "")
        return {} if known is None else {agent: store.history(known, agent) for agent in recipe.remembering}
    finally:
        store.close()


def _last_of(app: App, ensemble: Ensemble) -> str:
    newest = None
    if app.paths.conversations_database.exists():
        store = app.open_conversations()
        try:
            newest = newest_of(store, ensemble)
        finally:
            store.close()
    if newest is None:
        raise ConversationNotFound(
            f"there is no conversation with `{ensemble.name}`"
            + (f" ({ensemble.source.path})" if ensemble.source else "")
            + " to continue",
            hint="Begin one with --conversation NAME.",
        )
    return newest.name
