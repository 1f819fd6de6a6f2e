"""People who sign in, and browsers that follow where they are led."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from llm_orc.auth.oauth.device import DeviceCode


@dataclass(frozen=True, slots=True)
class Shown:
    """The page that a browser ended on."""

    status: int
    text: str
    headers: dict[str, str]
    url: str = field(repr=False)


async def visit(url: str, method: str = "GET", headers: dict[str, str] | None = None) -> Shown:
    """Go to `url`, follow its redirects as a browser does, and read the page."""
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(method, url, headers=headers) as response,
    ):
        return Shown(response.status, await response.text(), dict(response.headers), str(response.url))


async def redirect_of(url: str) -> str:
    """Where the sign-in page sends the browser, without going there."""
    async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False) as response:
        return response.headers["Location"]


@dataclass
class Person:
    """An `Ask`: what was shown is kept, what is pasted comes from `pastes`."""

    is_interactive: bool = True
    browses: Callable[[str], bool] | None = None  # what opening the browser does; None: it does not open
    urls: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    pastes: asyncio.Queue[str | type[EOFError]] = field(default_factory=asyncio.Queue)
    prompts: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    devices: list[DeviceCode] = field(default_factory=list)
    pasting: int = 0

    def show_url(self, url: str) -> None:
        self.urls.put_nowait(url)

    def open_browser(self, url: str) -> bool:
        self.opened.append(url)
        return self.browses is not None and self.browses(url)

    async def paste(self, prompt: str) -> str:
        self.prompts.append(prompt)
        self.pasting += 1
        try:
            text = await self.pastes.get()
        finally:
            self.pasting -= 1
        if isinstance(text, str):
            return text
        raise text

    def show_device_code(self, device: DeviceCode) -> None:
        self.devices.append(device)

    def progress(self, words: str) -> None:
        self.words.append(words)
