"""One visit to a sign-in page: it opens, and the answer comes back by redirect or is pasted."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

from llm_orc.auth.methods.base import Login, failed_at_token_endpoint
from llm_orc.auth.methods.browser import BrowserChances
from llm_orc.auth.oauth.addresses import LOOPBACK_HOSTS
from llm_orc.auth.oauth.authorize import NotOurs
from llm_orc.auth.oauth.loopback import CannotListen, Loopback
from llm_orc.auth.oauth.token_endpoint import TokenEndpointError
from llm_orc.dataclass import dataclass
from llm_orc.errors import LoginFailed

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from llm_orc.auth.methods.base import Ask

LIMIT_S = 600.0  # for a whole sign-in: as long as a code may live (RFC 6749 §4.1.2)
_PASTE_AFTER_S = 15.0  # if a browser has opened, the redirect is the rule and the paste the exception
_TO_OPEN_S = 10.0
_PASTE_PROMPT = "Or paste the code here, or the whole address of the page on which the browser ends: "
_PASTE_ONLY_PROMPT = "Paste the code that the page shows here, or the whole address of the page: "

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Attempt(Protocol[T_co]):
    """One sign-in at one server: the address to open, and how the answer is read."""

    @property
    def url(self) -> str: ...

    def accept_query(self, query: str) -> T_co:
        """Raises `NotOurs` for what should be ignored, `LoginFailed` for what ends the sign-in."""
        ...

    def accept_pasted(self, text: str) -> T_co:
        """The same for what a person typed."""
        ...


@dataclass(frozen=True, slots=True)
class VisitOptions:
    """How a visit goes. Times in seconds.

    `no_browser`: only show the URL, and wait for the callback even without a terminal.
    """

    provider: str
    browser: BrowserChances
    no_browser: bool = False
    limit_s: float = LIMIT_S
    paste_after_s: float = _PASTE_AFTER_S
    hosts: Sequence[str] = LOOPBACK_HOSTS


@dataclass(frozen=True, slots=True)
class BrowserVisit(Generic[T]):
    """`begin` starts an attempt for a redirect URI; `redeem` exchanges its result.

    `redirect_uri` is one that the server requires: for loopback (any port if it names none), or with `is_hosted` a
    page of the provider that shows the code.
    """

    options: VisitOptions
    begin: Callable[[str], Attempt[T]]
    redeem: Callable[[T], Awaitable[Login]]
    path: str = "/callback"
    redirect_uri: str | None = None
    is_hosted: bool = False

    async def make(self, ask: Ask) -> Login:
        """Raises `LoginFailed`, also when the time is up."""
        check_somebody_is_here(ask, self.options, can_wait=not self.is_hosted)
        try:
            async with asyncio.timeout(self.options.limit_s):
                return await self._make(ask)
        except TimeoutError:
            raise LoginFailed(
                f"the sign-in at provider `{self.options.provider}` was not finished within "
                f"{self.options.limit_s / 60:.3g} minutes",
                hint="Sign in again.",
                error="timed_out",
            ) from None

    async def _make(self, ask: Ask) -> Login:
        async with AsyncExitStack() as stack:
            loopback = None if self.is_hosted else await self._listen(ask, stack)
            redirect_uri = loopback.redirect_uri if loopback else self._unheard_uri()
            attempt = self.begin(redirect_uri)
            if loopback:
                loopback.expect(attempt.accept_query)
            ask.show_url(attempt.url)
            has_opened = await self._open(ask, attempt.url)
            found = await self._await_answer(ask, attempt, loopback, has_opened=has_opened)
            try:
                login = await self.redeem(found)
            except TokenEndpointError as e:
                raise failed_at_token_endpoint(e, self.options.provider) from None
            if loopback:
                loopback.tell_worked()
            return login

    def _unheard_uri(self) -> str:
        """Return the page that shows the code; or an address without a listener, so that the address bar shows it.

        Any loopback port is allowed (RFC 8252 §7.3), and a program on this one can't use the code (RFC 7636).
        """
        uri = self.redirect_uri or f"http://127.0.0.1{self.path}"
        parts = urlsplit(uri)
        if self.is_hosted or parts.port is not None:
            return uri
        return parts._replace(netloc=f"{parts.netloc}:{49152 + secrets.randbelow(16384)}").geturl()

    async def _listen(self, ask: Ask, stack: AsyncExitStack) -> Loopback[T] | None:
        try:
            return await stack.enter_async_context(self._loopback())
        except CannotListen as e:
            if not ask.is_interactive:
                raise LoginFailed(
                    f"the sign-in at provider `{self.options.provider}` can't wait for the browser: {e.reason}",
                    hint="Run it in a terminal, where the code can be pasted.",
                    error="cannot_listen",
                ) from None
            ask.progress(
                f"llm-orc can't wait for the browser ({e.reason}). Sign in anyway: the browser ends on a "
                "page that can't be found; copy its whole address."
            )
            return None

    def _loopback(self) -> Loopback[T]:
        if self.redirect_uri is None:
            return Loopback(self.path, hosts=self.options.hosts)
        parts = urlsplit(self.redirect_uri)
        host = parts.hostname or ""
        is_literal = host in LOOPBACK_HOSTS
        return Loopback(
            parts.path or "/",
            port=parts.port or 0,
            hosts=(host,) if is_literal else self.options.hosts,
            name=None if is_literal else host,
        )

    async def _open(self, ask: Ask, url: str) -> bool:
        if self.options.no_browser:
            return False
        chances = self.options.browser
        if not chances.may_open:
            ask.progress(f"No browser was opened: {chances.reason}. Open the address above in your browser.")
            return False
        has_opened = await open_in_time(ask, url)
        if not has_opened:
            ask.progress("No browser opened. Open the address above in your browser.")
        return has_opened

    async def _await_answer(
        self, ask: Ask, attempt: Attempt[T], loopback: Loopback[T] | None, *, has_opened: bool
    ) -> T:
        if loopback is None:
            return await self._pasted(ask, attempt, _PASTE_ONLY_PROMPT)
        if not ask.is_interactive:
            return await loopback.callback(attempt.accept_query)
        waits = has_opened and not self.options.browser.offers_paste
        return await _first(
            loopback.callback(attempt.accept_query),
            self._pasted_later(ask, attempt, self.options.paste_after_s if waits else 0.0),
        )

    async def _pasted_later(self, ask: Ask, attempt: Attempt[T], delay_s: float) -> T:
        await asyncio.sleep(delay_s)
        try:
            return await self._pasted(ask, attempt, _PASTE_PROMPT)
        except EOFError:
            await asyncio.Event().wait()  # the callback may still come
            raise

    async def _pasted(self, ask: Ask, attempt: Attempt[T], prompt: str) -> T:
        while True:
            try:
                return attempt.accept_pasted(await ask.paste(prompt))
            except NotOurs as e:
                ask.progress(e.message)


async def open_in_time(ask: Ask, url: str) -> bool:
    """Open the browser; without a confirmation in time, it counts as not opened."""
    try:
        async with asyncio.timeout(_TO_OPEN_S):
            return await asyncio.to_thread(ask.open_browser, url)
    except TimeoutError:
        return False


async def _first(*ways: Coroutine[None, None, T]) -> T:
    """Return the result, or raise the error, of the task that ends first; the others are cancelled."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return next(task for task in tasks if task in done).result()


def check_somebody_is_here(ask: Ask, options: VisitOptions, *, can_wait: bool, flags: str = "") -> None:
    """Raise `LoginFailed` if a sign-in would wait for input without a terminal; `flags` go into its hint."""
    if ask.is_interactive or (options.no_browser and can_wait):
        return
    command = f"llm-orc auth add {options.provider} --method oauth{flags}"
    raise LoginFailed(
        f"signing in at provider `{options.provider}` needs a terminal, and there is none",
        hint=f"{command} --no-browser" if can_wait else f"Run it in a terminal: `{command}`.",
        error="needs_interaction",
    )
