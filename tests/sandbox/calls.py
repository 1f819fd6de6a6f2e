"""One plain request in each dialect, and how its answer's text is found, as a client by hand would do it."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.sandbox.server import Sandbox

SYSTEM = "You are a careful financial analyst."
PROMPT = "Is this startup worth a seed round?"
VERSION = {"anthropic-version": "2023-06-01"}


@dataclass(frozen=True, slots=True)
class Call:
    """How to ask in one dialect, and to read what comes."""

    path: str
    streamed_path: str
    body: dict[str, Any]
    text: Callable[[dict[str, Any]], str]
    delta: Callable[[dict[str, Any]], str]
    usage: Callable[[dict[str, Any]], tuple[int, int]]


def _chat_delta(event: dict[str, Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in event["choices"])


CALLS = {
    "anthropic": Call(
        path="/v1/messages",
        streamed_path="/v1/messages",
        body={
            "model": "canned",
            "max_tokens": 500,
            "system": SYSTEM,
            "messages": [{"role": "user", "content": PROMPT}],
        },
        text=lambda reply: reply["content"][0]["text"],
        delta=lambda event: event.get("delta", {}).get("text", ""),
        usage=lambda reply: (reply["usage"]["input_tokens"], reply["usage"]["output_tokens"]),
    ),
    "openai-chat": Call(
        path="/v1/chat/completions",
        streamed_path="/v1/chat/completions",
        body={
            "model": "canned",
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": PROMPT}],
        },
        text=lambda reply: reply["choices"][0]["message"]["content"],
        delta=_chat_delta,
        usage=lambda reply: (reply["usage"]["prompt_tokens"], reply["usage"]["completion_tokens"]),
    ),
    "openai-responses": Call(
        path="/v1/responses",
        streamed_path="/v1/responses",
        body={"model": "canned", "instructions": SYSTEM, "input": PROMPT},
        text=lambda reply: reply["output"][0]["content"][0]["text"],
        delta=lambda event: event["delta"] if event["type"] == "response.output_text.delta" else "",
        usage=lambda reply: (reply["usage"]["input_tokens"], reply["usage"]["output_tokens"]),
    ),
    "gemini": Call(
        path="/v1beta/models/canned:generateContent",
        streamed_path="/v1beta/models/canned:streamGenerateContent?alt=sse",
        body={
            "systemInstruction": {"parts": [{"text": SYSTEM}]},
            "contents": [{"role": "user", "parts": [{"text": PROMPT}]}],
        },
        text=lambda reply: reply["candidates"][0]["content"]["parts"][0]["text"],
        delta=lambda event: event["candidates"][0]["content"]["parts"][0]["text"],
        usage=lambda reply: (
            reply["usageMetadata"]["promptTokenCount"],
            reply["usageMetadata"]["candidatesTokenCount"],
        ),
    ),
}
DIALECTS = sorted(CALLS)


@dataclass(frozen=True, slots=True)
class Got:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The data of the stream's events, without the `[DONE]` of OpenAI's chat."""
        blocks = self.body.decode().split("\n\n")
        data = [line[6:] for block in blocks for line in block.splitlines() if line.startswith("data: ")]
        return [json.loads(item) for item in data if item != "[DONE]"]


async def ask(
    sandbox: Sandbox,
    dialect: str,
    *,
    stream: bool = False,
    headers: dict[str, str] | None = None,
    **changes: Any,
) -> Got:
    """Send the dialect's plain request, with changes to its body, and read the answer to its end."""
    call = CALLS[dialect]
    body = call.body | changes
    if stream and dialect != "gemini":
        body["stream"] = True
    return await send(sandbox, call.streamed_path if stream else call.path, json.dumps(body).encode(), headers)


async def send(
    sandbox: Sandbox, path: str, body: bytes | io.BytesIO, headers: dict[str, str] | None = None
) -> Got:
    async with (
        aiohttp.ClientSession() as session,
        session.post(sandbox.origin + path, data=body, headers=VERSION | (headers or {})) as response,
    ):
        return Got(response.status, {k.lower(): v for k, v in response.headers.items()}, await response.read())


def streamed_text(dialect: str, got: Got) -> str:
    return "".join(CALLS[dialect].delta(event) for event in got.events)
