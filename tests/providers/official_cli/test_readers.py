"""What lines of both programs mean, whatever is in them: read as functions, without a process."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.errors import LlmOrcError, MeteredNotAllowed, NotLoggedIn, RateLimited, ReplyCut, ToolAttempted
from llm_orc.providers.base import Target
from llm_orc.providers.official_cli.claude.turn import ClaudeTurn
from llm_orc.providers.official_cli.codex.turn import CodexTurn
from llm_orc.providers.official_cli.lines import fields_of, number_in, text_in
from llm_orc.providers.official_cli.program import Answered, TriesAgain, TurnReader

TARGET = Target("a-provider", "a-model")
READERS: dict[str, Callable[[], TurnReader]] = {
    "claude": lambda: ClaudeTurn(TARGET),
    "codex": lambda: CodexTurn(TARGET, "a-model"),
}


def read(program: str, *lines: dict[str, object]) -> object:
    """Return what the last line means."""
    reader = READERS[program]()
    meaning = None
    for line in lines:
        fields = fields_of(json.dumps(line).encode())
        assert fields is not None
        meaning = reader.read(fields)
    return meaning


def claude_says(*blocks: dict[str, object], kind: str = "assistant") -> dict[str, object]:
    return {"type": kind, "message": {"model": "m", "content": list(blocks)}}


# --- nothing but text and thought ---


@pytest.mark.parametrize(
    ("program", "line"),
    [
        *(
            ("claude", claude_says({"type": kind, "name": "Bash"}))
            for kind in ("tool_use", "server_tool_use", "mcp_tool_use", "web_search_tool_result", "image", "new", "")
        ),
        ("claude", claude_says({"type": "tool_result", "content": "root:x:0"}, kind="user")),
        ("claude", {"type": "stream_event", "event": {"type": "content_block_start", "content_block": {"type": "tool_use"}}}),
        ("claude", {"type": "control_request", "request": {"subtype": "can_use_tool", "tool_name": "Bash"}}),
        ("claude", {"type": "tool_progress", "tool_name": "Bash"}),
        ("claude", {"type": "assistant", "message": {"model": "m", "content": ["not even a block"]}}),
        ("claude", {"type": "result", "subtype": "success", "permission_denials": [{"tool_name": "Bash"}]}),
        *(
            ("codex", {"type": event, "item": {"id": "item_0", "type": kind}})
            for event in ("item.started", "item.completed")
            for kind in (
                *("command_execution", "file_change", "mcp_tool_call", "web_search", "todo_list"),
                *("collab_tool_call", "image_view", "made_up_tomorrow", ""),
            )
        ),
        ("codex", {"type": "item.updated", "item": "not even an item"}),
    ],
)  # fmt: skip
def test_any_item_but_text_and_thought_ends_the_turn(program: str, line: dict[str, object]) -> None:
    with pytest.raises(ToolAttempted):
        read(program, line)


def test_thoughts_notices_and_kinds_of_a_later_version_are_let_through() -> None:
    answer = read(
        "claude",
        {"type": "heartbeat_of_tomorrow"},
        {"type": "system", "subtype": "hook_of_tomorrow"},
        {"type": "stream_event", "event": {"type": "content_block_start", "content_block": {"type": "thinking"}}},
        claude_says({"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "four"}),
        {"type": "result", "subtype": "success", "result": "four", "num_turns": 1},
    )
    other = read(
        "codex",
        {"type": "status_of_tomorrow"},
        {"type": "item.completed", "item": {"type": "error", "message": "Codex is ignoring 1 setting"}},
        {"type": "item.completed", "item": {"type": "reasoning", "text": "hm"}},
        {"type": "item.completed", "item": {"type": "agent_message", "text": "four"}},
        {"type": "turn.completed"},
    )

    assert isinstance(answer, Answered)
    assert isinstance(other, Answered)
    assert (answer.text, other.text) == ("four", "four")


@pytest.mark.parametrize(
    ("word", "stop_reason", "stop_word"),
    [
        ("end_turn", "end_turn", ""),
        ("stop_sequence", "stop_sequence", ""),
        ("model_context_window_exceeded", "max_tokens", ""),
        ("a_reason_of_tomorrow", "other", "a_reason_of_tomorrow"),
        (None, "other", ""),
    ],
)
def test_why_an_answer_ended_is_told_or_unknown(word: str | None, stop_reason: str, stop_word: str) -> None:
    answer = read("claude", claude_says({"type": "text", "text": "x"}), {"type": "result", "stop_reason": word})

    assert isinstance(answer, Answered)
    assert (answer.stop_reason, answer.stop_word) == (stop_reason, stop_word)


@pytest.mark.parametrize("word", ["tool_use", "pause_turn"])
def test_an_answer_that_ends_for_a_tool_is_none(word: str) -> None:
    with pytest.raises(ToolAttempted):
        read("claude", claude_says({"type": "text", "text": "x"}), {"type": "result", "stop_reason": word})


def test_an_answer_of_codex_that_broke_off_is_not_asked_for_again() -> None:
    with pytest.raises(ReplyCut) as caught:
        read(
            "codex", {"type": "turn.failed", "error": {"message": "Incomplete response returned, reason: length"}}
        )

    assert caught.value.would_again


# --- what it took ---

COUNTS: list[object] = [None, -5, 1.5, "12", True, [], {}, 10**30, 1e300, "nan"]


@pytest.mark.parametrize("count", COUNTS)
def test_a_count_that_cannot_be_true_is_unknown_and_costs_no_answer(count: object) -> None:
    used = {"input_tokens": count, "output_tokens": count, "cached_input_tokens": count}
    answers = [
        read(
            "claude", claude_says({"type": "text", "text": "x"}), {"type": "result", "usage": used, "num_turns": 1}
        ),
        read(
            "codex",
            {"type": "item.completed", "item": {"type": "agent_message", "text": "x"}},
            {"type": "turn.completed", "usage": used},
        ),
    ]

    for answer in answers:
        assert isinstance(answer, Answered)
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (None, None)


@pytest.mark.parametrize("usage", [None, [], "many", 7, {}])
def test_no_usage_at_all_is_unknown(usage: object) -> None:
    answer = read("claude", claude_says({"type": "text", "text": "x"}), {"type": "result", "usage": usage})
    other = read(
        "codex",
        {"type": "item.completed", "item": {"type": "agent_message", "text": "x"}},
        {"type": "turn.completed", "usage": usage},
    )

    assert isinstance(answer, Answered)
    assert isinstance(other, Answered)
    assert answer.usage.tokens is other.usage.tokens is None


# --- limits of a plan ---


@pytest.mark.parametrize("resets_at", [1e20, -1e20, 1e308, 10**400, None, "soon", True, [1]])
def test_a_reset_that_no_plan_has_is_unknown(resets_at: object) -> None:
    with pytest.raises(RateLimited) as caught:
        read(
            "claude",
            {"type": "rate_limit_event", "rate_limit_info": {"resetsAt": resets_at}},
            {"type": "result", "is_error": True, "api_error_status": 429, "result": "You've hit your limit"},
        )

    assert caught.value.retry_after_s in {None, 0.0}


def test_a_reset_that_can_be_true_is_told() -> None:
    with pytest.raises(RateLimited, match="resets at 20") as caught:
        read(
            "claude",
            {"type": "rate_limit_event", "rate_limit_info": {"resetsAt": time.time() + 7200}},
            {"type": "result", "is_error": True, "api_error_status": 429},
        )

    assert caught.value.retry_after_s == pytest.approx(7200, abs=60)


def test_what_codex_would_try_without_end_is_told_at_once_where_no_try_helps() -> None:
    for words, error in (("You've hit your usage limit.", RateLimited), ("status 401 Unauthorized", NotLoggedIn)):
        with pytest.raises(error):
            read("codex", {"type": "error", "message": f"Reconnecting... 1/5 ({words})"})

    again = read(
        "codex", {"type": "error", "message": "Reconnecting... 1/5 (error sending request for url (http://x))"}
    )
    assert isinstance(again, TriesAgain)
    assert again.error.code == "provider_unreachable"


@pytest.mark.parametrize("odd", [[], {}, [[]], 7])
def test_an_odd_source_of_keys_is_no_plan(odd: object) -> None:
    with pytest.raises(MeteredNotAllowed):
        read("claude", {"type": "system", "subtype": "init", "apiKeySource": odd})


# --- whatever comes ---


def test_a_line_is_read_through_a_mark_a_stray_byte_and_half_a_pair() -> None:
    line = b'\xef\xbb\xbf  {"type": "a\xff", "half": "\\ud83d!", "whole": "\\ud83d\\ude00", "big": 1e999}\r\n'
    fields = fields_of(line)

    assert fields is not None
    assert (text_in(fields, "type"), text_in(fields, "half"), text_in(fields, "whole")) == ("a�", "�!", "😀")
    assert number_in(fields, "big") is None


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"warning: {", b"[1]", b"7", b'"{}"', b"{" * 100_000, b'{"a":' * 50_000]
)
def test_what_is_no_object_is_none(line: bytes) -> None:
    assert fields_of(line) is None


ODD: list[object] = [
    None,
    True,
    -1,
    0,
    10**30,
    -0.5,
    1e308,
    "",
    "\ud83d",
    "\x1b[31m",
    [],
    [None],
    {},
    {"type": []},
    [[{}]],
]
KEYS = (
    *(
        "type",
        "subtype",
        "event",
        "message",
        "content",
        "item",
        "usage",
        "error",
        "tools",
        "apiKeySource",
        "delta",
    ),
    *("result", "is_error", "num_turns", "stop_reason", "rate_limit_info", "api_error_status", "model", "text"),
)
TYPES = (
    *("system", "stream_event", "assistant", "user", "rate_limit_event", "result", "init", "api_retry", "text"),
    *(
        "item.completed",
        "item.started",
        "turn.completed",
        "turn.failed",
        "error",
        "agent_message",
        "message_delta",
    ),
)
words = st.sampled_from([*TYPES, *ODD])
lines = st.dictionaries(
    st.sampled_from(KEYS), words | st.dictionaries(st.sampled_from(KEYS), words, max_size=3), max_size=5
)


@given(program=st.sampled_from(sorted(READERS)), said=st.lists(lines, max_size=6))
def test_whatever_lines_come_a_reader_ends_in_nothing_but_a_typed_error(
    program: str, said: list[dict[str, object]]
) -> None:
    reader = READERS[program]()
    for line in said:
        fields = fields_of(json.dumps(line).encode())
        assert fields is not None
        with suppress(LlmOrcError):
            reader.read(fields)


@given(st.binary(max_size=200))
def test_whatever_bytes_come_a_line_is_an_object_or_none(line: bytes) -> None:
    for framed in (line, b'{"type": "' + line + b'"}'):
        fields = fields_of(framed)
        assert fields is None or text_in(fields, "type").isascii() in {True, False}
