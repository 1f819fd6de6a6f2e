"""The same calls through httpx and the official SDKs, written as in their documentation.

Each variant imports its own client only, so that memory is measured fairly and none must be installed.

python -m benchmarks.clients VARIANT SHAPE ORIGIN
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping

from benchmarks.measure import Program, Work, child
from benchmarks.workload import MODEL, PROMPT, SYSTEM_PROMPT, Shape

Ask = Callable[[], Awaitable[str]]


async def _httpx(shape: Shape, origin: str) -> int:
    import httpx  # noqa: PLC0415

    return await _by_hand(httpx, shape, origin)


async def _httpx2(shape: Shape, origin: str) -> int:
    import httpx2  # noqa: PLC0415

    return await _by_hand(httpx2, shape, origin)


async def _by_hand(library: object, shape: Shape, origin: str) -> int:
    make = library.AsyncClient  # type: ignore[attr-defined]
    limits = library.Limits(max_connections=None)  # type: ignore[attr-defined]
    headers = {"x-api-key": "none", "anthropic-version": "2023-06-01"}
    body = {
        "model": MODEL,
        "max_tokens": 1024,
        "system": SYSTEM_PROMPT,
        "messages": [{"role": "user", "content": PROMPT}],
        "stream": shape.streamed,
    }
    async with make(limits=limits, timeout=600, headers=headers) as client:

        async def whole() -> str:
            response = await client.post(f"{origin}/v1/messages", json=body)
            return str(response.json()["content"][0]["text"])

        async def streamed() -> str:
            pieces: list[str] = []
            async with client.stream("POST", f"{origin}/v1/messages", json=body) as response:
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        pieces += [json.loads(line[6:]).get("delta", {}).get("text", "")]
            return "".join(pieces)

        return await _all(shape, streamed if shape.streamed else whole)


async def _anthropic(shape: Shape, origin: str, *, aiohttp: bool = False) -> int:
    import anthropic  # noqa: PLC0415
    from anthropic.types import TextBlock  # noqa: PLC0415

    http = anthropic.DefaultAioHttpClient() if aiohttp else None
    client = anthropic.AsyncAnthropic(
        api_key="none", base_url=origin, max_retries=0, timeout=600, http_client=http
    )
    async with client:

        async def whole() -> str:
            message = await client.messages.create(
                model=MODEL, max_tokens=1024, system=SYSTEM_PROMPT, messages=[{"role": "user", "content": PROMPT}]
            )
            return message.content[0].text if isinstance(message.content[0], TextBlock) else ""

        async def streamed() -> str:
            pieces: list[str] = []
            events = await client.messages.create(
                model=MODEL,
                max_tokens=1024,
                system=SYSTEM_PROMPT,
                messages=[{"role": "user", "content": PROMPT}],
                stream=True,
            )
            async for event in events:
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    pieces += [event.delta.text]
            return "".join(pieces)

        return await _all(shape, streamed if shape.streamed else whole)


async def _anthropic_aiohttp(shape: Shape, origin: str) -> int:
    return await _anthropic(shape, origin, aiohttp=True)


async def _openai(shape: Shape, origin: str, *, aiohttp: bool = False) -> int:
    import openai  # noqa: PLC0415

    http = openai.DefaultAioHttpClient() if aiohttp else None
    client = openai.AsyncOpenAI(
        api_key="none", base_url=f"{origin}/v1", max_retries=0, timeout=600, http_client=http
    )
    async with client:

        async def whole() -> str:
            completion = await client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": PROMPT}],
            )
            return completion.choices[0].message.content or ""

        async def streamed() -> str:
            pieces: list[str] = []
            chunks = await client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": PROMPT}],
                stream=True,
                stream_options={"include_usage": True},
            )
            async for chunk in chunks:
                pieces += [choice.delta.content or "" for choice in chunk.choices]
            return "".join(pieces)

        return await _all(shape, streamed if shape.streamed else whole)


async def _openai_aiohttp(shape: Shape, origin: str) -> int:
    return await _openai(shape, origin, aiohttp=True)


async def _all(shape: Shape, ask: Ask) -> int:
    """Make all calls of a shape. Failed calls are counted, not raised, because some clients lose a few."""
    done = 0
    for _ in range(shape.layers):
        texts = await asyncio.gather(*(ask() for _ in range(shape.width)), return_exceptions=True)
        errors = [text for text in texts if isinstance(text, BaseException)]
        if len(errors) == len(texts):
            raise errors[0]
        done += sum(1 for text in texts if isinstance(text, str) and text)
    return done


_VARIANTS: Mapping[str, tuple[str, Work]] = {
    "httpx": ("httpx", _httpx),
    "httpx2": ("httpx2", _httpx2),
    "anthropic-aiohttp": ("anthropic SDK, aiohttp", _anthropic_aiohttp),
    "anthropic": ("anthropic SDK", _anthropic),
    "openai-aiohttp": ("openai SDK, aiohttp", _openai_aiohttp),
    "openai": ("openai SDK", _openai),
}
PROGRAMS = tuple(Program(name, "benchmarks.clients", variant) for variant, (name, _) in _VARIANTS.items())

if __name__ == "__main__":
    child(_VARIANTS[sys.argv[1]][1], sys.argv[2:])
