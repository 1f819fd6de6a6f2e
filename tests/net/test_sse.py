"""Server-sent events (WHATWG HTML §9.2.6 and its examples)."""

from __future__ import annotations

import time
from itertools import cycle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llm_orc.net.bodies.sse import SseParser


def parse(stream: bytes) -> list[bytes]:
    return SseParser().feed(stream)


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [b"YHOO\n+2\n10"]),
        (b": a comment\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
         [b"first event", b"second event", b" third event"]),
        (b"data\n\ndata\ndata\n\ndata:", [b"", b"\n"]),
        (b"data:test\n\ndata: test\n\n", [b"test", b"test"]),
        (b"event: ping\ndata: {}\n\n", [b"{}"]),
        (b"data: {}\nevent: ping\n\n", [b"{}"]),
        (b"event: nothing\n\nretry: 10\n\n", []),
        (b"\n\n\ndata: a\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\r\n\n", [b"a", b"b", b"c"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: \xef\xbb\xbfa\n\n\xef\xbb\xbfdata: b\n\n", [b"\xef\xbb\xbfa"]),
        (b"datas: a\n\nDATA: b\n\n", []),
        (b"data: cut off\n", []),
        (b"data: cut off", []),
        (b"", []),
    ],
)  # fmt: skip
def test_events_are_read_as_the_standard_says(stream: bytes, events: list[bytes]) -> None:
    assert parse(stream) == events


LINES = st.sampled_from(
    [
        b'data: {"a": 1}',
        "data: gr\u00fc\u00df \U0001f600".encode(),
        b"data",
        b"data:",
        b"event: x",
        b": note",
        b"event: data: x",
        b"data: data: y",
        b"data:z",
        b"id: 1",
        b"",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(
    lines=st.lists(st.tuples(LINES, ENDS), max_size=30),
    bom=st.booleans(),
    sizes=st.lists(st.integers(1, 40), min_size=1),
)
@example(lines=[(b"data: a", b"\r\n"), (b"data: b", b"\r\n"), (b"", b"\r\n")], bom=True, sizes=[1])
def test_events_are_the_same_however_the_stream_is_cut(
    lines: list[tuple[bytes, bytes]], bom: bool, sizes: list[int]
) -> None:
    # A lone "\r" at the very end may still become "\r\n", so the stream ends in a comment.
    stream = (b"\xef\xbb\xbf" if bom else b"") + b"".join(line + end for line, end in lines) + b":"
    parser = SseParser()
    seen: list[bytes] = []

    rest = stream
    for size in cycle(sizes):
        seen += parser.feed(rest[:size])
        rest = rest[size:]
        if not rest:
            break

    assert seen == by_the_book(stream) == parse(stream)


def by_the_book(stream: bytes) -> list[bytes]:
    """The standard's own algorithm, line by line."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[bytes] = []
    data: list[bytes] = []
    for line in text.split(b"\n")[:-1]:
        if not line:
            if data:
                events.append(b"\n".join(data))
            data = []
        elif line == b"data" or line.startswith(b"data:"):
            value = line[5:]
            data.append(value[1:] if value.startswith(b" ") else value)
    return events


@pytest.mark.parametrize("piece", [b"x" * 8_192, b"x" * 8_191 + b"\n", b"x" * 8_191 + b"\r"])
def test_an_event_without_an_end_costs_no_more_for_being_long(piece: bytes) -> None:
    parser, began = SseParser(), time.process_time()

    for _ in range(4_000):
        assert parser.feed(piece) == []

    assert time.process_time() - began < 5  # many minutes where each piece copies all that came before
