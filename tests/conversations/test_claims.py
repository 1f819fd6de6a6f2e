"""Who may speak: one at a time, and never a dead one."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from pathlib import Path

import pytest

from llm_orc.conversations import claims, turns
from llm_orc.conversations.claims import OLD_S, Claim, Holder
from llm_orc.conversations.conversation import Question
from llm_orc.conversations.lock import ConversationLock
from llm_orc.conversations.store import ConversationStore
from llm_orc.errors import ConversationBusy
from tests.conversations.conftest import NOW, output, written


def claim_in(path: Path, run_id: str) -> None:
    """What a process does that is killed in the middle of a turn."""
    store = ConversationStore(path)
    conversation = store.find("taxes")
    claim = Claim(conversation.number, run_id)
    assert written(store, claims.try_claim, claim, NOW) is None
    written(store, turns.ask, claim, Question("analyst", "How much?", None), NOW)
    os._exit(0)


def test_only_one_has_it(store: ConversationStore) -> None:
    number = store.begin("taxes", "panel", None, NOW).number
    first, second = Claim(number, "run-1"), Claim(number, "run-2")

    assert written(store, claims.try_claim, first, NOW) is None
    assert written(store, claims.try_claim, second, NOW + 1) == Holder(os.getpid(), "run-1", NOW)

    written(store, claims.release, first, {}, NOW + 2)
    assert written(store, claims.try_claim, second, NOW + 3) is None


@pytest.mark.skipif(os.name == "nt", reason="only the heartbeat tells there")
def test_the_claim_of_a_dead_process_is_free_at_once_and_its_turn_is_cut(
    store: ConversationStore, path: Path
) -> None:
    taxes = store.begin("taxes", "panel", None, NOW)
    process = multiprocessing.get_context("spawn").Process(target=claim_in, args=(path, "run-1"))
    process.start()
    process.join(30)
    assert process.exitcode == 0

    assert written(store, claims.try_claim, Claim(taxes.number, "run-2"), NOW) is None

    assert [(t.role, t.text, t.state) for t in store.turns(taxes)] == [
        ("user", "How much?", "cut"),
        ("assistant", "", "cut"),
    ]


def test_an_old_heartbeat_frees_it_and_a_fresh_one_does_not(store: ConversationStore) -> None:
    number = store.begin("taxes", "panel", None, NOW).number
    first, second = Claim(number, "run-1"), Claim(number, "run-2")
    written(store, claims.try_claim, first, NOW)

    written(store, claims.beat, first, NOW + OLD_S)
    assert written(store, claims.try_claim, second, NOW + OLD_S + 1) is not None

    assert written(store, claims.try_claim, second, NOW + 2 * OLD_S + 1) is None


def test_whoever_was_taken_for_dead_asks_no_more_and_its_answer_is_kept_aside(store: ConversationStore) -> None:
    taxes = store.begin("taxes", "panel", None, NOW)
    first, second = Claim(taxes.number, "run-1"), Claim(taxes.number, "run-2")
    written(store, claims.try_claim, first, NOW)
    question, _ = written(store, turns.ask, first, Question("analyst", "How much?", None), NOW)
    late = NOW + OLD_S + 1
    assert written(store, claims.try_claim, second, late) is None

    written(store, turns.answer, first, question, output("A lot."), late)
    with pytest.raises(ConversationBusy, match="taken over the conversation because"):
        written(store, turns.ask, first, Question("lawyer", "Legal?", None), late)
    written(store, claims.release, first, {}, late)

    assert store.history(taxes, "analyst") == ()
    assert ("assistant", "A lot.", "aside") in [(t.role, t.text, t.state) for t in store.turns(taxes)]
    assert written(store, claims.try_claim, Claim(taxes.number, "run-3"), late) is not None


async def test_who_comes_second_waits_and_is_told_for_whom(store: ConversationStore) -> None:
    taxes = store.begin("taxes", "panel", None, NOW)
    told: list[Holder] = []
    order: list[str] = []
    is_waiting = asyncio.Event()

    def waiting(holder: Holder) -> None:
        told.append(holder)
        is_waiting.set()

    async def second() -> None:
        async with ConversationLock(store, taxes, "run-2", now=lambda: NOW, waiting=waiting):
            order.append("second")

    async with asyncio.TaskGroup() as group, ConversationLock(store, taxes, "run-1", now=lambda: NOW):
        group.create_task(second())
        await is_waiting.wait()
        order.append("first")

    assert order == ["first", "second"]
    assert [holder.run_id for holder in told] == ["run-1"]


async def test_whoever_gives_up_waiting_leaves_the_claim_alone(store: ConversationStore) -> None:
    taxes = store.begin("taxes", "panel", None, NOW)
    async with ConversationLock(store, taxes, "run-1", now=lambda: NOW):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), ConversationLock(store, taxes, "run-2", now=lambda: NOW):
                pass
        assert written(store, claims.try_claim, Claim(taxes.number, "run-3"), NOW) is not None
