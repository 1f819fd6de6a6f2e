"""The baseline: the same calls, made directly with our HTTP library and typed decoding."""

from __future__ import annotations

import asyncio

import aiohttp
import msgspec

from benchmarks.measure import Program, child
from benchmarks.workload import MODEL, PROMPT, SYSTEM_PROMPT, Shape

PROGRAM = Program("bare (aiohttp, uvloop, msgspec)", "benchmarks.bare")


class _Text(msgspec.Struct):
    text: str = ""


class _Usage(msgspec.Struct):
    output_tokens: int = 0


class _Message(msgspec.Struct):
    content: list[_Text]
    usage: _Usage


class _Event(msgspec.Struct):
    type: str
    delta: _Text | None = None
    usage: _Usage | None = None


_MESSAGE = msgspec.json.Decoder(_Message)
_EVENT = msgspec.json.Decoder(_Event)
_HEADERS = {"x-api-key": "none", "anthropic-version": "2023-06-01", "content-type": "application/json"}


async def run(shape: Shape, origin: str) -> int:
    body = {
        "model": MODEL,
        "max_tokens": 1024,
        "system": SYSTEM_PROMPT,
        "messages": [{"role": "user", "content": PROMPT}],
        "stream": shape.streamed,
    }
    url = f"{origin}/v1/messages"
    ask = _streamed if shape.streamed else _whole
    done = 0
    timeout = aiohttp.ClientTimeout(total=None, sock_read=600)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        for _ in range(shape.layers):
            texts = await asyncio.gather(*(ask(session, url, body) for _ in range(shape.width)))
            done += sum(map(bool, texts))
    return done


async def _whole(session: aiohttp.ClientSession, url: str, body: object) -> str:
    async with session.post(url, data=msgspec.json.encode(body), headers=_HEADERS) as response:
        return _MESSAGE.decode(await response.read()).content[0].text


async def _streamed(session: aiohttp.ClientSession, url: str, body: object) -> str:
    pieces: list[str] = []
    rest = b""
    tokens = 0
    async with session.post(url, data=msgspec.json.encode(body), headers=_HEADERS) as response:
        async for data in response.content.iter_any():
            *blocks, rest = (rest + data).split(b"\n\n")
            for block in blocks:
                event = _EVENT.decode(block[block.index(b"data: ") + 6 :])
                if event.delta is not None and event.delta.text:
                    pieces.append(event.delta.text)
                if event.usage is not None:
                    tokens = event.usage.output_tokens
    return "".join(pieces) if tokens == len(pieces) else ""


if __name__ == "__main__":
    child(run)
