"""A role where the access fixes the system prompt: agreed on once, at its place, never doubled."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.providers.base import Message, ModelRequest
from llm_orc.providers.parts import ToolAnswer, ToolCall
from llm_orc.providers.roles import role_in_conversation

FIXED = "You are Claude Code, Anthropic's official CLI for Claude."
UNDERSTOOD = "Understood. I'll act in that role for our conversation."


def act_as(role: str) -> str:
    return f"For this conversation, please act as: {role}"


def sent(role: str | None, *turns: tuple[str | None, str]) -> list[str]:
    """What is sent where `turns` are the earlier questions, each with the role that was in force."""
    messages: list[Message] = []
    for in_force, question in turns:
        messages += [Message("user", question, in_force), Message("assistant", f"re {question}")]
    request = ModelRequest((*messages, Message("user", "now")), system_prompt=role)
    changed = role_in_conversation(request, FIXED)
    assert changed.system_prompt == FIXED
    assert [m.role for m in changed.messages] == ["user", "assistant"] * (len(changed.messages) // 2) + ["user"]
    return [m.content for m in changed.messages]


def test_a_role_is_established_before_the_first_turn() -> None:
    assert sent("a lawyer") == [act_as("a lawyer"), UNDERSTOOD, "now"]


@pytest.mark.parametrize("role", [None, "", FIXED])
def test_no_role_and_the_fixed_prompt_itself_cost_nothing(role: str | None) -> None:
    assert sent(role, (role, "one")) == ["one", "re one", "now"]


def test_a_role_that_stays_is_established_once() -> None:
    assert sent("a lawyer", ("a lawyer", "one"), ("a lawyer", "two")) == [
        act_as("a lawyer"),
        UNDERSTOOD,
        "one",
        "re one",
        "two",
        "re two",
        "now",
    ]


def test_a_changed_role_is_established_once_more_where_it_changed() -> None:
    assert sent("a poet", ("a lawyer", "one"), ("a poet", "two")) == [
        act_as("a lawyer"),
        UNDERSTOOD,
        "one",
        "re one",
        act_as("a poet"),
        UNDERSTOOD,
        "two",
        "re two",
        "now",
    ]


def test_a_role_is_established_at_the_turn_that_first_has_one() -> None:
    assert sent("a poet", (None, "one")) == ["one", "re one", act_as("a poet"), UNDERSTOOD, "now"]


def test_an_agreement_that_is_in_the_conversation_counts() -> None:
    """As where the turns were taken over from a program that kept them with it."""
    said = (Message("user", act_as("a poet")), Message("assistant", UNDERSTOOD), Message("user", "now"))

    request = role_in_conversation(ModelRequest(said, system_prompt="a poet"), FIXED)

    assert request.messages == said


def test_who_merely_says_the_words_has_agreed_on_nothing() -> None:
    request = ModelRequest((Message("user", act_as("a poet")),), system_prompt="a poet")

    assert [m.content for m in role_in_conversation(request, FIXED).messages] == [
        act_as("a poet"),
        UNDERSTOOD,
        act_as("a poet"),
    ]


roles = st.sampled_from([None, "", FIXED, "a lawyer", "a poet", "an analyst"])


@given(st.lists(roles, min_size=1, max_size=12))
def test_there_are_as_many_agreements_as_changes(in_force: list[str | None]) -> None:
    *earlier, last = in_force

    texts = sent(last, *((role, f"q{n}") for n, role in enumerate(earlier)))

    needed = [role for role in in_force if role and role != FIXED]
    changes = [role for role, _ in groupby(needed)]
    assert [t for t in texts if t.startswith("For this")] == [act_as(role) for role in changes]
    assert [t for t in texts if not t.startswith(("For this", "Understood"))] == [
        *(text for n in range(len(earlier)) for text in (f"q{n}", f"re q{n}")),
        "now",
    ]


@given(st.lists(roles, min_size=2, max_size=12))
def test_what_was_sent_before_is_the_beginning_of_what_is_sent_next(in_force: list[str | None]) -> None:
    """So that a provider's prompt cache finds it again."""
    *earlier, last = in_force
    turns = [(role, f"q{n}") for n, role in enumerate(earlier)]

    before = sent(turns[-1][0], *turns[:-1])[:-1]
    after = sent(last, *turns)

    assert after[: len(before)] == before


def test_nothing_comes_between_calls_of_tools_and_their_results() -> None:
    calls = (ToolCall("c-1", "look", {}),)
    turns = (
        Message("user", "Look."),
        Message("assistant", "", calls=calls),
        Message("user", "", results=(ToolAnswer("c-1", "look", "seen"),)),
    )

    changed = role_in_conversation(ModelRequest(turns, system_prompt="a poet"), FIXED).messages

    assert [m.role for m in changed] == ["user", "assistant", "user", "assistant", "user"]
    assert "a poet" in changed[0].content
    assert changed[3].calls == calls
