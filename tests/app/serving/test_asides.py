"""What chat front ends ask beside a person's message."""

from __future__ import annotations

import json

import pytest

from llm_orc.app.serving.asides import aside_in
from llm_orc.providers.base import Message

HISTORY = "<chat_history>\nUSER: Which index helps with this slow query on orders by date?\nASSISTANT: One on date.\n</chat_history>"
OPEN_WEBUI = "### Task:\n{}\n### Guidelines:\n- …\n### Output:\nJSON format: {{}}\n### Chat History:\n" + HISTORY


@pytest.mark.parametrize(
    ("words", "kind", "field", "value"),
    [
        (
            "Generate a concise, 3-5 word title with an emoji",
            "title",
            "title",
            "Which index helps with this slow query",
        ),
        ("Generate 1-3 broad tags categorizing the main themes", "tags", "tags", ["General"]),
        ("Suggest 3-5 relevant follow-up questions or prompts", "follow-ups", "follow_ups", []),
        ("Analyze the chat history to determine the necessity of", "search queries", "queries", []),
        ("You are an autocompletion system. Continue the text", "completion", "text", ""),
    ],
)
def test_open_webuis_requests_are_known(words: str, kind: str, field: str, value: object) -> None:
    aside = aside_in([Message("user", OPEN_WEBUI.format(words))])

    assert aside is not None
    assert aside.kind == kind
    assert json.loads(aside.answer) == {field: value}


@pytest.mark.parametrize(
    "prompt",
    [
        "Provide a concise, 5-word-or-less title for the conversation, using its same language.",
        "Please generate a concise, 5-word-or-less title for the conversation.",
        "Based on the chat history, give this conversation a name.\nKeep it short.",
    ],
)
def test_a_title_is_the_first_words_of_the_person(prompt: str) -> None:
    said = [Message("user", "Which index helps?"), Message("assistant", "One."), Message("user", prompt)]

    aside = aside_in(said)

    assert aside is not None
    assert aside.answer == "Which index helps?"


@pytest.mark.parametrize(
    "prompt",
    [
        "Generate a concise, 3-5 word title for my book.",
        "What does '### Task:\nGenerate a concise, 3-5 word title' mean?",
        "### Task:\nWrite a parser.",
        "",
    ],
)
def test_what_a_person_asks_is_no_aside(prompt: str) -> None:
    assert aside_in([Message("user", prompt)]) is None
    assert aside_in([]) is None
