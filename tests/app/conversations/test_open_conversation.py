"""Conversations from Python: turns that were said elsewhere, and what a run is then told."""

from __future__ import annotations

import pytest

import llm_orc
from llm_orc import InputError, Message, RunError, open_conversation
from llm_orc.conversations import claims
from llm_orc.conversations.claims import Claim
from tests.conversations.conftest import written


def test_turns_can_be_added_read_cleared_and_forked() -> None:
    with open_conversation("notes") as conversation:
        conversation.add_to_conversation("user", "We met them in May.", system_prompt="You are kind.")
        conversation.add_to_conversation("assistant", "Noted.")
        conversation.fork("copy")

        assert conversation.history() == (Message("user", "We met them in May."), Message("assistant", "Noted."))
        assert conversation.history()[0].system_prompt == "You are kind."
        assert conversation.clear() == 2
        assert conversation.history() == ()
    with open_conversation("copy") as copy:
        assert [m.content for m in copy.history()] == ["We met them in May.", "Noted."]


def test_a_turn_is_the_users_or_the_assistants_and_the_user_begins() -> None:
    with open_conversation("notes") as conversation:
        with pytest.raises(InputError, match="starts with a turn of the user"):
            conversation.add_to_conversation("assistant", "x")
        with pytest.raises(InputError, match="not `system`"):
            conversation.add_to_conversation("system", "x")  # type: ignore[arg-type]


def test_nothing_is_added_in_the_middle_of_a_turn() -> None:
    with open_conversation("notes") as conversation:
        store, found = conversation._store, conversation._conversation
        written(store, claims.try_claim, Claim(found.number, "run-1"), conversation._clock.now())
        with pytest.raises(RunError, match="in the middle of a turn"):
            conversation.add_to_conversation("user", "x")


async def test_a_run_is_told_what_was_added() -> None:
    with open_conversation("seed-round") as conversation:
        conversation.add_to_conversation("user", "We met them in May.", agent="chair")
        conversation.add_to_conversation("assistant", "Noted.", agent="chair")

    result = await llm_orc.run("multi-role-test", "Worth it?", conversation="seed-round", rehearse=True)

    assert "We met them in May." in (result["chair"].response or "")
    assert "We met them in May." not in (result["legal-advisor"].response or "")
