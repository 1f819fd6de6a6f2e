"""Whatever a provider sends, in any dialect: an answer with text in it, or a typed error, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.errors import ContentRefused, LlmOrcError, ReplyCut, ReplyUnreadable
from llm_orc.net.bodies.sse import SseParser
from llm_orc.net.http import Http
from llm_orc.net.text import has_halves, is_blank
from llm_orc.net.transport import Answer
from llm_orc.providers.base import Reply, Target
from tests.examples import many
from tests.fakes.loopback import Loopback, stream
from tests.providers.conftest import Naps, Watcher
from tests.providers.dialects import test_anthropic, test_gemini, test_openai_chat, test_openai_responses
from tests.providers.dialects.suite import HELLO, TEXTS, DialectSuite

SUITES: dict[str, DialectSuite] = {
    "anthropic": test_anthropic.TestAnthropic(),
    "chat": test_openai_chat.TestOpenAIChat(),
    "responses": test_openai_responses.TestOpenAIResponses(),
    "gemini": test_gemini.TestGemini(),
}
BLANKS = ["", " ", "\n\t", "\u200b\u200d", "\ufeff", "\u3164 \u2800", "\u00a0\u2028", "\u202e"]
every_dialect = pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES.keys())


def read(suite: DialectSuite, body: bytes) -> Reply:
    return suite.dialect.read(Answer(200, {}, body), Target("p", "m"))


def read_stream(suite: DialectSuite, *pieces: bytes) -> tuple[Reply, str]:
    """Return the reply, and the text that a watcher saw."""
    decoder = suite.dialect.decoder(Target("p", "m"))
    seen = [decoder.feed(piece) for piece in pieces]
    seen.append(decoder.close())
    return decoder.finish(Answer(200, {})), "".join(seen)


def both_ways(suite: DialectSuite, texts: list[str], stop: str) -> list[Callable[[], Reply]]:
    body = json.dumps(suite.whole("".join(texts), stop)).encode()
    events = suite.events(texts, stop)
    return [lambda: read(suite, body), lambda: read_stream(suite, *events)[0]]


@pytest.mark.parametrize(
    ("dialect", "words"),
    [
        ("anthropic", ["pause_turn", "tool_use"]),
        ("chat", ["error", "insufficient_system_resource", "abort", "tool_calls", "ERROR"]),
        ("responses", ["cancelled", "in_progress", "queued", "incomplete"]),
        ("gemini", ["OTHER", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"]),
    ],
)
def test_a_word_of_failure_is_a_cut_reply(dialect: str, words: list[str]) -> None:
    for word in words:
        for ask in both_ways(SUITES[dialect], ["half of"], word):
            with pytest.raises(ReplyCut, match=f"broke off: it ended with `{word}`") as caught:
                ask()
            assert caught.value.would_again is (word in {"pause_turn", "tool_use", "tool_calls"})


def test_an_incomplete_response_for_another_reason_or_none_is_cut() -> None:
    body = SUITES["responses"].whole("half of", "incomplete")
    for details in (None, {}, {"reason": None}, {"reason": "something_new"}, {"reason": "completed"}):
        with pytest.raises(ReplyCut):
            read(SUITES["responses"], json.dumps({**body, "incomplete_details": details}).encode())


@pytest.mark.parametrize(
    ("dialect", "word"),
    [
        ("anthropic", "model_context_window_exceeded"),
        ("chat", "model_length"),
        ("chat", "max_tokens"),
        ("gemini", "MAX_TOKENS"),
    ],
)
def test_an_answer_at_a_limit_is_marked(dialect: str, word: str) -> None:
    for ask in both_ways(SUITES[dialect], ["half of"], word):
        assert ask().stop_reason == "max_tokens"


@pytest.mark.parametrize(("dialect", "word"), [("anthropic", "refusal"), ("chat", "content_filter")])
def test_a_refusal_is_no_answer(dialect: str, word: str) -> None:
    for ask in both_ways(SUITES[dialect], ["I can"], word):
        with pytest.raises(ContentRefused):
            ask()


@every_dialect
def test_an_unknown_word_is_kept_for_who_reads_the_answer(suite: DialectSuite) -> None:
    for ask in both_ways(suite, ["perhaps whole"], "new\x1b[31m word"):
        reply = ask()
        assert (reply.text, reply.stop_reason) == ("perhaps whole", "other")
        assert reply.stop_word == "new?31m?word"


@pytest.mark.parametrize("dialect", ["anthropic", "chat"])
def test_no_word_at_all_is_unknown_too(dialect: str) -> None:
    suite = SUITES[dialect]
    text = json.dumps(suite.whole("whole", "the-word")).replace('"the-word"', "null")
    events = [e.replace(b'"the-word"', b"null") for e in suite.events(["whole"], "the-word")]

    for reply in (read(suite, text.encode()), read_stream(suite, *events)[0]):
        assert (reply.text, reply.stop_reason, reply.stop_word) == ("whole", "other", "")


@every_dialect
@pytest.mark.parametrize("blank", BLANKS)
def test_an_answer_that_nobody_can_see_is_none(suite: DialectSuite, blank: str) -> None:
    assert is_blank(blank)
    for ask in both_ways(suite, [blank], "end_turn"):
        with pytest.raises(ReplyUnreadable, match="without any text"):
            ask()


@every_dialect
def test_halves_of_a_character_over_two_pieces_are_one_and_a_lone_one_is_replaced(suite: DialectSuite) -> None:
    events = [
        event.replace(b"@1", b"\\ud83d").replace(b"@2", b"\\ude00!").replace(b"@3", b"\\ud83d")
        for event in suite.events(["a @1", "@2", "b @3", "c", "d @3"], "end_turn")
    ]

    reply, seen = read_stream(suite, *events)

    assert reply.text == seen == "a \U0001f600!b \ufffdcd \ufffd"
    body = json.dumps(suite.whole("a @1 b", "end_turn")).encode().replace(b"@1", b"\\ude00\\ud83d")
    assert read(suite, body).text == "a \ufffd\ufffd b"


@every_dialect
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r"])
async def test_a_stream_without_its_last_empty_line_is_one_call(
    suite: DialectSuite, server: Loopback, http: Http, naps: Naps, watcher: Watcher, end: bytes
) -> None:
    *others, last = suite.events(TEXTS, "end_turn")
    server.answers(stream(*others, last.rstrip(b"\n") + end))

    reply = await suite.model(server, http, naps, stream=True).reply(HELLO, watcher)

    assert reply.text == "".join(watcher.pieces) == "".join(TEXTS)
    assert (reply.stop_reason, reply.usage, len(server.heard)) == ("end_turn", suite.usage, 1)


@every_dialect
async def test_a_tool_that_nobody_has_is_asked_for_once(
    suite: DialectSuite, server: Loopback, http: Http, naps: Naps
) -> None:
    word = {"anthropic": "tool_use", "openai-chat": "tool_calls"}.get(suite.dialect.name)
    if word is None:
        return
    server.answers(stream(*suite.events(["let me look"], word)))

    with pytest.raises(ReplyCut, match="broke off"):
        await suite.model(server, http, naps, stream=True).reply(HELLO, Watcher())

    assert len(server.heard) == 1


@every_dialect
@pytest.mark.parametrize("wrong", [[], {}, "x", 7, -5, 1e20, None, True, {"deep": [[{}]]}], ids=str)
def test_what_is_not_needed_costs_no_answer(suite: DialectSuite, wrong: object) -> None:
    needed = {"content", "choices", "candidates", "output", "status", "error", "stop_reason", "type", "role"}
    whole = suite.whole("the answer", "end_turn")
    for key in [*whole, "brand_new"]:
        if key not in needed:
            assert read(suite, json.dumps({**whole, key: wrong}).encode()).text == "the answer"
    events = suite.events(["the ", "answer"], "end_turn")
    odd = [f"data: {json.dumps(e)}\n\n".encode() for e in (wrong, {"type": "brand.new", "x": wrong}, {"x": wrong})]
    assert read_stream(suite, events[0], *odd, *events[1:])[0].text == "the answer"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def with_change(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_change(value[path[0]], path[1:], new)
    return copy


def is_an_end(ask: Callable[[], Reply]) -> None:
    """An answer that one can read, keep and show; or one of our errors."""
    try:
        reply = ask()
    except LlmOrcError as e:
        assert e.message.isprintable()  # noqa: PT017 - either end is right
        return
    assert not is_blank(reply.text)
    assert not has_halves(reply.text)
    assert reply.stop_word.isprintable()


@every_dialect
def test_any_change_of_a_value_ends_in_an_answer_or_a_typed_error(suite: DialectSuite) -> None:
    whole = suite.whole("an answer", "end_turn")
    events = [json.loads(e) for e in SseParser().feed(b"".join(suite.events(TEXTS, "end_turn"))) if b"{" in e]

    @settings(max_examples=many(60), deadline=None)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        changed = whole
        for _ in range(data.draw(st.integers(1, 3))):
            changed = with_change(changed, data.draw(st.sampled_from(places(changed))), data.draw(JSON))
        is_an_end(lambda: read(suite, json.dumps(changed).encode()))
        at = data.draw(st.integers(0, len(events) - 1))
        one = with_change(events[at], data.draw(st.sampled_from(places(events[at]))), data.draw(JSON))
        lines = [f"data: {json.dumps(e)}\n\n".encode() for e in (*events[:at], one, *events[at + 1 :])]
        is_an_end(lambda: read_stream(suite, *lines)[0])
        is_an_end(lambda: _error_in_its_place(suite, json.dumps(changed).encode()))

    check()


def _error_in_its_place(suite: DialectSuite, body: bytes) -> Reply:
    words = suite.dialect.words(body)
    assert words.message.isprintable()
    return Reply("words were read", "m")


@every_dialect
def test_any_change_of_a_byte_ends_in_an_answer_or_a_typed_error(suite: DialectSuite) -> None:
    whole = json.dumps(suite.whole("an answer \ud83d", "end_turn")).encode()
    streamed = b"".join(suite.events(TEXTS, "end_turn"))
    change = st.tuples(st.integers(0, 4000), st.integers(0, 40), st.binary(max_size=6))

    @settings(max_examples=many(60), deadline=None)
    @given(changes=st.lists(change, min_size=1, max_size=4), step=st.integers(1, 60))
    def check(changes: list[tuple[int, int, bytes]], step: int) -> None:
        bodies = []
        for body in (whole, streamed):
            for at, length, new in changes:
                start = at % (len(body) + 1)
                body = body[:start] + new + body[start + length :]  # noqa: PLW2901
            bodies.append(body)
        is_an_end(lambda: read(suite, bodies[0]))
        pieces = [bodies[1][i : i + step] for i in range(0, len(bodies[1]), step)]
        is_an_end(lambda: read_stream(suite, *pieces)[0])
        is_an_end(lambda: _error_in_its_place(suite, bodies[0]))

    check()


@every_dialect
def test_nesting_without_end_is_a_typed_error(suite: DialectSuite) -> None:
    for body in (b'{"x":' * 200_000, b"[" * 200_000, b'{"error":' * 200_000):
        is_an_end(lambda body=body: read(suite, body))  # type: ignore[misc]
        is_an_end(lambda body=body: read_stream(suite, b"data: " + body + b"\n\n")[0])  # type: ignore[misc]
        is_an_end(lambda body=body: _error_in_its_place(suite, body))  # type: ignore[misc]


@every_dialect
def test_a_large_body_that_is_odd_at_its_end_is_read_a_few_times_only(suite: DialectSuite) -> None:
    """Each value that is left out costs a reading of all before it."""
    whole = suite.whole("an answer", "end_turn")
    odd = {**whole, "padding": ["x" * 50] * 100_000, **{key: [[]] for key in ("id", "model", "modelVersion")}}

    is_an_end(lambda: read(suite, json.dumps(odd).encode()))


def test_a_large_answer_that_nobody_can_see_is_known_soon() -> None:
    assert is_blank("\u200b" * 5_000_000)
    assert not is_blank("\u200b" * 5_000_000 + "x")
