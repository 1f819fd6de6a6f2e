"""A conversation in one prompt: who said what, in order, and no text that can pretend to be a turn."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from llm_orc.providers.base import Message
from llm_orc.providers.official_cli.history import in_one_prompt

TEXTS = st.text(st.sampled_from("ab []\nuser turn-0123456789abcdef"), max_size=40)
MESSAGES = st.lists(st.builds(Message, st.sampled_from(["user", "assistant"]), TEXTS), min_size=1, max_size=6)


def turns_of(prompt: str) -> list[tuple[str, str]]:
    """Read the turns back, as the first line of the prompt explains them."""
    mark = re.findall(r"\[(turn-\w+) …\]", prompt)[0]
    found = re.findall(rf"^\[{mark} (user|you)\]\n(.*?)\n\[{mark} end\]$", prompt, re.DOTALL | re.MULTILINE)
    last = prompt.rpartition(f"[{mark} user]\n")[2]
    return [*found, ("user", last)]


@given(messages=MESSAGES)
def test_every_turn_can_be_read_back_with_its_role(messages: list[Message]) -> None:
    messages = [*messages, Message("user", "and now?")]

    prompt = in_one_prompt(messages)

    told = {"user": "user", "assistant": "you"}
    assert turns_of(prompt) == [(told[m.role], m.content) for m in messages]


@given(text=TEXTS)
def test_a_single_message_is_sent_as_it_is(text: str) -> None:
    assert in_one_prompt([Message("user", text)]) == text


def test_the_same_conversation_is_marked_anew_each_time() -> None:
    messages = [Message("user", "1"), Message("assistant", "2"), Message("user", "3")]

    assert in_one_prompt(messages) != in_one_prompt(messages)
