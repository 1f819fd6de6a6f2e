"""A log of the requests to the sandbox, for tests to inspect."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import field

from llm_orc.catalog.rows import DialectName
from llm_orc.dataclass import dataclass
from llm_orc.providers.base import Message
from llm_orc.providers.parts import ToolOffer

_CREDENTIALS = frozenset({"authorization", "x-api-key", "x-goog-api-key", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request as it was sent. Fields that were missing or invalid are empty.

    `headers` has the real values, and its keys ignore case; the `repr` masks credentials.
    """

    dialect: DialectName
    path: str
    headers: Mapping[str, str] = field(repr=False)
    at: float  # Unix seconds
    body: bytes = field(repr=False)
    model: str = ""
    system_prompt: str | None = None
    messages: tuple[Message, ...] = ()
    stream: bool = False
    tools: tuple[ToolOffer, ...] = ()

    def __repr__(self) -> str:
        masked = {name: "***" if name.lower() in _CREDENTIALS else value for name, value in self.headers.items()}
        return (
            f"ReceivedRequest({self.dialect} {self.path} model={self.model!r} stream={self.stream} "
            f"headers={masked} messages={len(self.messages)})"
        )


class RequestLog:
    """Counts requests as they arrive and end, and lets tests wait for either."""

    def __init__(self, *, keep: bool) -> None:
        self.kept: list[ReceivedRequest] = []
        self.count = 0
        self.in_progress = 0
        self._keep = keep
        self._changed = asyncio.Event()

    def begun(self) -> None:
        self.in_progress += 1

    def read(self, request: ReceivedRequest) -> None:
        self.count += 1
        if self._keep:
            self.kept.append(request)
        self._tell()

    def ended(self) -> None:
        self.in_progress -= 1
        self._tell()

    async def wait_for(self, count: int, timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            while self.count < count:
                await self._changed.wait()

    async def wait_until_idle(self, timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            while self.in_progress:
                await self._changed.wait()

    def _tell(self) -> None:
        """Wake all tasks that wait now; later ones wait for the next change."""
        self._changed.set()
        self._changed = asyncio.Event()
