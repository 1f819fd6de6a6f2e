"""A loopback server with minimal overhead: replies are made once, and requests are barely parsed.

    python -m benchmarks.server --latency-ms 50

It speaks Anthropic Messages and OpenAI Chat Completions, prints its port on one line, and serves until it is
killed or its standard input ends, so it never outlives the program that started it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import dataclass
from functools import partial
from typing import cast

import uvloop

from benchmarks.machine import SERVER_CORE, pin, raise_open_files
from benchmarks.workload import MODEL, STREAM_TOKENS

_TOKENS = [f"token{n:03} " for n in range(STREAM_TOKENS)]
_TEXT = "A whole answer of a few words, as short as they come."
_INPUT_TOKENS = 27
_TOOL_USE = {"type": "tool_use", "id": "toolu_benchmark", "name": "files_read", "input": {"path": "note.txt"}}
TOOL_TURNS = 2
"""How often a request with tools is answered with a call of one, before the answer."""
_BACKLOG = 16_384


@dataclass(frozen=True, slots=True)
class Canned:
    """The replies of one dialect, headers included. A stream is a list of chunks; the last chunk ends it."""

    whole: bytes
    stream: list[bytes]


class Replies:
    def __init__(self, writes: int) -> None:
        self.anthropic = Canned(_whole(_anthropic_message()), _chunked(_anthropic_events(), writes))
        self.tool_turn = _whole(_anthropic_message(content=[_TOOL_USE], stop_reason="tool_use"))
        self.openai = Canned(_whole(_openai_completion()), _chunked(_openai_events(), writes))


class Connection(asyncio.Protocol):
    """One keep-alive connection: as much of HTTP/1.1 as the clients of the benchmarks need."""

    __slots__ = ("_buffer", "_latency_s", "_loop", "_pace_s", "_replies", "_transport")

    def __init__(self, replies: Replies, latency_s: float, pace_s: float) -> None:
        self._replies = replies
        self._latency_s = latency_s
        self._pace_s = pace_s
        self._buffer = b""
        self._transport: asyncio.WriteTransport | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's own class doesn't inherit it

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            total = end + 4 + _content_length(self._buffer[:end])
            if len(self._buffer) < total:
                return
            request, self._buffer = self._buffer[:total], self._buffer[total:]
            self._answer(request, end)

    def _answer(self, request: bytes, end: int) -> None:
        path = request[: request.find(b" HTTP/1.1")]
        canned = self._replies.openai if path.endswith(b"/chat/completions") else self._replies.anthropic
        streamed = request.find(b'"stream":true', end) >= 0 or request.find(b'"stream": true', end) >= 0
        chunks = canned.stream if streamed else [canned.whole]
        if request.find(b'"tools":', end) >= 0 and request.count(b'"tool_result"', end) < TOOL_TURNS:
            chunks = [self._replies.tool_turn]
        if self._latency_s:
            self._loop.call_later(self._latency_s, self._send, chunks, 0)
        else:
            self._send(chunks, 0)

    def _send(self, chunks: list[bytes], index: int) -> None:
        if self._transport is None:
            return
        self._transport.write(chunks[index])
        if index + 1 == len(chunks):
            return
        if self._pace_s:
            self._loop.call_later(self._pace_s, self._send, chunks, index + 1)
        else:
            self._loop.call_soon(self._send, chunks, index + 1)


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    stop = lowered.find(b"\r\n", at + 2)
    return int(lowered[at + 17 : stop if stop >= 0 else None])


def _whole(reply: object) -> bytes:
    body = _json(reply)
    head = (
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_benchmark\r\n"
        f"x-request-id: req_benchmark\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _chunked(events: list[bytes], writes: int) -> list[bytes]:
    """Return the stream split into writes; each event is a chunk of its own, as real services send them."""
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nrequest-id: req_benchmark\r\n"
        b"x-request-id: req_benchmark\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    each = -(-len(chunks) // writes)
    grouped = [b"".join(chunks[start : start + each]) for start in range(0, len(chunks), each)]
    grouped[0] = head + grouped[0]
    grouped[-1] += b"0\r\n\r\n"
    return grouped


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _anthropic_message(**changes: object) -> dict[str, object]:
    usage = {"input_tokens": _INPUT_TOKENS, "output_tokens": len(_TEXT.split())}
    return {
        "id": "msg_benchmark",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": _TEXT}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
        **changes,
    }


def _anthropic_events() -> list[bytes]:
    text = {"type": "text", "text": ""}
    events: list[dict[str, object]] = [
        {"type": "message_start", "message": _anthropic_message(content=[], stop_reason=None)},
        {"type": "content_block_start", "index": 0, "content_block": text},
        {"type": "ping"},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": token}}
            for token in _TOKENS
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"input_tokens": _INPUT_TOKENS, "output_tokens": STREAM_TOKENS},
        },
        {"type": "message_stop"},
    ]
    return [b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), _json(event)) for event in events]


def _openai_completion() -> dict[str, object]:
    message = {"role": "assistant", "content": _TEXT, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {**_openai_head("chat.completion"), "choices": [choice], "usage": _openai_usage(len(_TEXT.split()))}


def _openai_events() -> list[bytes]:
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}, *({"content": t} for t in _TOKENS), {}]
    head = _openai_head("chat.completion.chunk")
    events: list[dict[str, object]] = [
        {
            **head,
            "choices": [
                {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None if delta else "stop"}
            ],
        }
        for delta in deltas
    ]
    events.append({**head, "choices": [], "usage": _openai_usage(STREAM_TOKENS)})
    return [*(b"data: %b\n\n" % _json(event) for event in events), b"data: [DONE]\n\n"]


def _openai_head(kind: str) -> dict[str, object]:
    return {"id": "chatcmpl-benchmark", "object": kind, "created": 1_750_000_000, "model": MODEL}


def _openai_usage(output_tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": _INPUT_TOKENS,
        "completion_tokens": output_tokens,
        "total_tokens": _INPUT_TOKENS + output_tokens,
    }


async def _serve(latency_s: float, pace_s: float, writes: int) -> None:
    loop = asyncio.get_running_loop()
    make = partial(Connection, Replies(writes), latency_s, pace_s)
    server = await loop.create_server(make, "127.0.0.1", 0, backlog=_BACKLOG)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.buffer.read)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.server", description=__doc__)
    parser.add_argument("--latency-ms", type=float, default=0.0, help="wait before each reply")
    parser.add_argument("--pace-ms", type=float, default=0.0, help="wait between the writes of a stream")
    parser.add_argument("--writes", type=int, default=4, help="number of writes of a stream")
    options = parser.parse_args()
    pin(SERVER_CORE)
    raise_open_files()
    uvloop.run(_serve(options.latency_ms / 1000, options.pace_ms / 1000, options.writes))


if __name__ == "__main__":
    main()
