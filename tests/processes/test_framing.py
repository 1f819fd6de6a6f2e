"""Messages in lines and messages with headers, in whatever pieces they arrive."""

from __future__ import annotations

import pytest

from llm_orc.processes.framing import HEADERS, LINES, Framing


def read(framing: Framing, stream: bytes, step: int) -> list[bytes]:
    """Return the contents of the messages of a stream that arrives `step` bytes at a time."""
    pending, searched = bytearray(), 0
    found: list[bytes] = []
    for start in range(0, len(stream), step):
        pending += stream[start : start + step]
        while end := framing.end_of_first(pending, searched):
            found.append(framing.body(bytes(pending[:end])))
            del pending[:end]
            searched = 0
        searched = len(pending)
    assert not pending
    return found


STEPS = pytest.mark.parametrize("step", [1, 2, 7, 10_000])


@STEPS
def test_what_is_framed_is_read_again(step: int) -> None:
    bodies = [b"{}", b'{"a": "\xc3\xa9\\n"}', b"x" * 300, b"{}\r\n\r\n", b""]

    assert read(HEADERS, b"".join(HEADERS.framed(body) for body in bodies), step) == bodies


@STEPS
def test_lines_end_with_a_line_feed(step: int) -> None:
    assert read(LINES, LINES.framed(b"one") + b"two\r\n\n", step) == [b"one\n", b"two\r\n", b"\n"]


@STEPS
def test_a_stray_line_between_messages_is_a_message_of_its_own(step: int) -> None:
    strays = [b"Warning: old settings\n", b"content is king\n", b"\n", b"Content-Length: many\r\n\r\n"]
    stream = b"".join(stray + HEADERS.framed(b"{}") for stray in strays)

    read_again = read(HEADERS, stream, step)

    assert read_again.count(b"{}") == len(strays)
    assert len(read_again) == 2 * len(strays)


@STEPS
def test_names_of_headers_have_any_case_and_others_may_stand_before(step: int) -> None:
    kind = b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n"
    stream = kind + b"content-LENGTH:2\r\n\r\n{}" + b"Content-Length: 1\r\n" + kind + b"\r\n1"

    assert read(HEADERS, stream, step) == [b"{}", b"1"]


def test_a_header_without_an_end_is_a_line() -> None:
    stream = b"Content-Length: 5\n" + b"x" * 5000

    assert HEADERS.end_of_first(bytearray(stream), 0) == len(b"Content-Length: 5\n")
