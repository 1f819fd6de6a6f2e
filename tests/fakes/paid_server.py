"""A provider on loopback that keeps a bill: what it could charge for each request that it has received whole."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from llm_orc.providers.base import Usage
from llm_orc.providers.prices import listed_usd

Fault = Literal[
    "none", "no usage", "bad usage", "cut", "drop", "garbage", "silence", "error event", "429", "503", "400", "504"
]
FAULTS: tuple[Fault, ...] = (
    *("none", "no usage", "bad usage", "cut", "drop", "garbage", "silence", "error event"),
    *("429", "503", "400", "504"),
)
UNBILLED: frozenset[Fault] = frozenset({"429", "503", "400"})
TRANSIENT: frozenset[Fault] = frozenset({"429", "503", "504", "cut", "drop"})

# By dialect: the provider, its model, and where its requests go.
PROVIDERS = {
    "anthropic": ("anthropic-api", "claude-sonnet-4-5", "/v1/messages"),
    "openai-chat": ("openrouter", "openai/gpt-4o-mini", "/chat/completions"),
    "openai-responses": ("openai", "gpt-5", "/responses"),
    "gemini": ("google-gemini", "gemini-2.5-flash", "/v1beta/models/"),
}
ANSWER, OUTPUT_TOKENS = "An answer.", 3


@dataclass
class PaidServer:
    """Meets the requests with `faults`, one after the other; the last one is for all that follow."""

    faults: list[Fault] = field(default_factory=lambda: ["none"])
    bills: list[float] = field(default_factory=list)  # one for each request that was received whole
    tokens: list[int] = field(default_factory=list)  # likewise
    agents: list[str] = field(default_factory=list)  # likewise: what the header `x-agent` says
    billed: Callable[[float], None] = lambda _usd: None
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def bill_usd(self) -> float:
        return sum(self.bills)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def settings(self, **runs: object) -> dict[str, object]:
        """Return settings in which every provider is this server."""
        base_urls = {
            "anthropic-api": self.url,
            "openrouter": self.url,
            "openai": self.url,
            "google-gemini": self.url,
        }
        providers: dict[str, object] = {name: {"base_url": url} for name, url in base_urls.items()}
        providers["ollama"] = {"base_url": "http://127.0.0.1:9/v1"}
        return {"providers": providers, "runs": {"max_retries": 4, **runs}}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while await self._one(reader, writer):
                    pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        target = head.split(" ", 2)[1]
        size = int(head.partition("content-length:")[2].split("\r\n")[0])
        body = await reader.readexactly(size)
        fault = self.faults.pop(0) if len(self.faults) > 1 else self.faults[0]
        usd = bill_usd(target, body, fault)
        self.bills.append(usd)
        self.tokens.append(bill_tokens(body, fault))
        self.agents.append(head.partition("x-agent:")[2].split("\r\n")[0].strip())
        self.billed(usd)
        if fault == "drop":
            writer.transport.abort()
            return False
        if fault == "silence":
            await reader.read()
            return False
        if fault in UNBILLED or fault == "504":
            writer.write(_whole(int(fault), b"{}", more="retry-after-ms: 50\r\n" if fault == "429" else ""))
        elif fault == "garbage":
            writer.write(_whole(200, b"<p>Please sign in.</p>", "text/html"))
        else:
            writer.write(_answer(dialect_of(target), body, fault, is_stream=_is_stream(target, body)))
        await writer.drain()
        if fault == "cut":
            writer.transport.close()
            return False
        return True


def dialect_of(target: str) -> str:
    return next(name for name, (_, _, path) in PROVIDERS.items() if path in target)


def _is_stream(target: str, body: bytes) -> bool:
    return "stream" in target or bool(json.loads(body).get("stream"))


def bill_usd(target: str, body: bytes, fault: Fault) -> float:
    """Return what can be charged: real tokens where they are stated, else all that the request allows."""
    if fault in UNBILLED:
        return 0.0
    provider, model, _ = PROVIDERS[dialect_of(target)]
    limit = _limit(json.loads(body))
    usage = _usage(body) if fault == "none" else Usage(len(body), limit, cache_write_tokens=len(body))
    return listed_usd(provider, model, usage) or 0.0


def bill_tokens(body: bytes, fault: Fault) -> int:
    """Return how many tokens can be counted, in the same way."""
    if fault in UNBILLED:
        return 0
    return (_usage(body).tokens or 0) if fault == "none" else len(body) + _limit(json.loads(body))


def _usage(body: bytes) -> Usage:
    return Usage(max(1, len(body) // 4), OUTPUT_TOKENS)


def _limit(body: dict[str, Any]) -> int:
    inner = {**body, **body.get("generationConfig", {})}
    names = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens")
    return max((inner[name] for name in names if name in inner), default=100_000)


def _whole(status: int, body: bytes, kind: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} S\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def _answer(dialect: str, body: bytes, fault: Fault, *, is_stream: bool) -> bytes:
    usage = _usage(body)
    counts: Any = [usage.input_tokens, usage.output_tokens]
    if fault == "bad usage":
        counts = [-5, 0]
    if not is_stream:
        data = json.dumps(_ERROR if fault == "error event" else _reply(dialect, counts, fault)).encode()
        answer = _whole(200, data)
        return answer[:-9] if fault == "cut" else answer
    events = _events(dialect, counts, fault)
    if fault == "error event":
        events = [events[0], {"type": "error", **_ERROR}]
    elif fault == "cut":
        events = events[:1]
    data = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    head = b"HTTP/1.1 200 S\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    end = b"" if fault == "cut" else b"0\r\n\r\n"
    return head + b"%x\r\n%s\r\n" % (len(data), data) + end


_ERROR = {"error": {"type": "overloaded_error", "code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}


def _counted(names: tuple[str, str], counts: list[int], fault: Fault) -> Any:
    return None if fault == "no usage" else dict(zip(names, counts, strict=True))


def _reply(dialect: str, counts: list[int], fault: Fault) -> dict[str, Any]:
    match dialect:
        case "anthropic":
            usage = _counted(("input_tokens", "output_tokens"), counts, fault)
            text = [{"type": "text", "text": ANSWER}]
            return {"content": text, "model": "m", "stop_reason": "end_turn", "usage": usage}
        case "openai-chat":
            usage = _counted(("prompt_tokens", "completion_tokens"), counts, fault)
            choice = {"message": {"content": ANSWER}, "finish_reason": "stop"}
            return {"choices": [choice], "usage": usage}
        case "openai-responses":
            usage = _counted(("input_tokens", "output_tokens"), counts, fault)
            item = {"type": "message", "content": [{"type": "output_text", "text": ANSWER}]}
            return {"status": "completed", "output": [item], "usage": usage}
        case _:
            usage = _counted(("promptTokenCount", "candidatesTokenCount"), counts, fault)
            candidate = {"content": {"parts": [{"text": ANSWER}]}, "finishReason": "STOP"}
            return {"candidates": [candidate], "usageMetadata": usage}


def _events(dialect: str, counts: list[int], fault: Fault) -> list[dict[str, Any]]:
    reply = _reply(dialect, counts, fault)
    match dialect:
        case "anthropic":
            usage = reply.pop("usage")
            delta = {"type": "text_delta", "text": ANSWER}
            return [
                {"type": "content_block_delta", "delta": delta},
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
                {"type": "message_stop"},
            ]
        case "openai-chat":
            end = {"delta": {}, "finish_reason": "stop"}
            return [
                {"choices": [{"delta": {"content": ANSWER}}]},
                {"choices": [end]},
                {"choices": [], "usage": reply["usage"]},
            ]
        case "openai-responses":
            return [
                {"type": "response.output_text.delta", "delta": ANSWER},
                {"type": "response.completed", "response": reply},
            ]
        case _:
            first = {"candidates": [{"content": {"parts": [{"text": "An "}]}}]}
            reply["candidates"][0]["content"]["parts"] = [{"text": "answer."}]
            return [first, reply]
