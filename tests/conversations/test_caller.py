"""Around the call: kept before it is sent, kept before it is returned, and never in the way of an answer."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.auth.access import Access
from llm_orc.conversations.caller import ConversationCaller, Remembering
from llm_orc.conversations.context_window import newest
from llm_orc.conversations.lock import ConversationLock
from llm_orc.conversations.store import ConversationStore
from llm_orc.errors import LlmOrcError, ProviderOverloaded
from llm_orc.providers.base import Message
from tests.conversations.conftest import NOW, output


class Notices:
    """An observer that keeps what a person should know."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def calling(self, model: str, access: Access) -> None:
        return

    def switched(self, model: str, access: Access, because: LlmOrcError) -> None:
        return

    def notice(self, message: str) -> None:
        self.said.append(message)

    def waiting(self, for_plan: object) -> None:
        return

    def wait_over(self) -> None:
        return

    def items(self, total: int) -> None:
        return

    def round(self, number: int, total: int) -> None:
        return

    def text(self, piece: str) -> None:
        return

    def retrying(self, error: LlmOrcError, attempt: int, delay_s: float) -> None:
        return

    def rejected(self, call: object, error: LlmOrcError, attempt: int) -> None:
        return


async def said(
    store: ConversationStore, run_id: str, answer: Callable[[AgentTurn], AgentOutput], *agents: str
) -> list[str]:
    """Ask the agents all at once in one run; returns what was noticed."""
    taxes = store.begin("taxes", "panel", None, NOW)
    notices = Notices()

    async def call(turn: AgentTurn) -> AgentOutput:
        await asyncio.sleep(0)
        return answer(turn)

    async with ConversationLock(store, taxes, run_id, now=lambda: NOW) as speaking:
        caller = ConversationCaller(call, speaking, Remembering(dict.fromkeys(agents)))
        async with asyncio.TaskGroup() as group:
            for agent in agents:
                group.create_task(
                    caller(AgentTurn(AgentPath(agent), AgentSpec(agent), f"{run_id} for {agent}", notices))
                )
    return notices.said


async def test_the_question_is_on_the_disk_before_it_is_sent(store: ConversationStore) -> None:
    seen = []

    def answer(turn: AgentTurn) -> AgentOutput:
        seen.extend(store.turns(store.find("taxes")))
        return output("yes")

    await said(store, "one", answer, "analyst")

    assert [(t.text, t.state) for t in seen] == [("one for analyst", "open")]


async def test_a_full_disk_loses_no_answer(store: ConversationStore) -> None:
    def answer(_turn: AgentTurn) -> AgentOutput:
        with store.database.change() as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
        return output("yes " * 10_000)

    [notice] = await said(store, "one", answer, "analyst")

    assert "the answer has arrived, but can't be stored in conversation `taxes`" in notice
    assert "full" in notice


async def test_a_write_that_fails_takes_no_other_with_it(store: ConversationStore) -> None:
    with store.database.change() as connection:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000)
    agents = [f"a{n}" for n in range(20)]

    [notice] = await said(
        store, "one", lambda turn: output("x" * (20_000 if turn.agent.name == "a3" else 10)), *agents
    )

    assert "too big" in notice
    assert [a for a in agents if len(store.history(store.find("taxes"), a)) != 2] == ["a3"]


async def test_text_that_is_half_a_character_is_kept_written_out(store: ConversationStore) -> None:
    await said(store, "one", lambda _turn: output("half \ud83d of it"), "analyst")

    assert store.history(store.find("taxes"), "analyst")[1].content == "half \\ud83d of it"


async def test_a_failure_is_its_agents_alone(store: ConversationStore) -> None:
    def fail(_turn: AgentTurn) -> AgentOutput:
        raise ProviderOverloaded("down")

    with pytest.raises(ExceptionGroup):
        await said(store, "one", fail, "analyst")
    await said(store, "two", lambda turn: output(str(len(turn.history))), "analyst")

    assert [(t.text, t.state) for t in store.turns(store.find("taxes"))] == [
        ("one for analyst", "failed"),
        ("two for analyst", "done"),
        ("0", "done"),
    ]


exchanges = st.lists(st.tuples(st.text(min_size=1, max_size=50), st.text(max_size=50)), min_size=1, max_size=12)


@given(exchanges, st.floats(min_value=0.05, max_value=0.95))
def test_what_is_kept_is_the_newest_begins_with_the_user_and_is_never_all(
    said_before: list[tuple[str, str]], share: float
) -> None:
    history = [
        message
        for question, answer in said_before
        for message in (Message("user", question), Message("assistant", answer))
    ]

    kept = newest(history, share)

    assert list(kept) == history[len(history) - len(kept) :]
    assert len(kept) < len(history)
    assert not kept or kept[0].role == "user"
    assert all(a.role != b.role for a, b in pairwise(kept))
    assert sum(len(m.content) for m in kept) <= share * sum(len(m.content) for m in history)
