"""Fetch one address over HTTP: each redirect is checked as the first address is, so nothing private is reached."""

from __future__ import annotations

import asyncio
import re
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from llm_orc.agents.tool_sources.web.text import text_of_html
from llm_orc.agents.tools.tool import ToolFailed
from llm_orc.dataclass import dataclass
from llm_orc.errors import SettingsError
from llm_orc.net.origin import DEFAULT_PORTS
from llm_orc.net.public import is_public
from llm_orc.net.text import one_line
from llm_orc.net.transport import TransportError

if TYPE_CHECKING:
    from llm_orc.agents.tool_sources.web.hosts import Hosts
    from llm_orc.net.http import Http
    from llm_orc.net.transport import Answer

MOST_BYTES = 4_000_000
LIMIT_S = 30.0  # for one address, with its redirects
_MOST_REDIRECTS = 8
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ACCEPT = "text/html, text/markdown, text/plain, application/json;q=0.9, text/*;q=0.8, */*;q=0.1"
_TEXTS = re.compile(
    r"text/.*|application/((.+\+)?(json|xml|yaml)|x-(yaml|ndjson|sh|python)|(java|ecma|type)script|toml|ndjson|"
    r"jsonl|sql|graphql|javascript|xhtml\+xml)"
)
_ENCODINGS = re.compile(
    r"utf-?(8|16|16le|16be)|(us-)?ascii|(iso|cp|windows|koi8|euc|gb|big5|shift|mac)[-_a-z0-9]*"
)
_IN_PAGE = re.compile(rb"<meta[^>]{1,200}?charset\s*=\s*[\"']?([A-Za-z0-9_-]{2,30})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """What is at an address. `url` is where it was found, after redirects; `is_whole`: all of it is there."""

    url: str
    status: int
    media_type: str
    title: str
    text: str
    is_whole: bool


class Fetcher:
    """Fetches pages. `public` connects to public addresses only; `anywhere` is for hosts that may be private.

    Through a proxy it is the proxy that connects: then a name that resolves here to a private address is refused.
    """

    def __init__(self, hosts: Hosts, public: Http, anywhere: Http) -> None:
        self._hosts, self._public, self._anywhere = hosts, public, anywhere

    async def fetch(self, url: str) -> Page:
        """Return the page. Raises `ToolFailed`."""
        try:
            async with asyncio.timeout(LIMIT_S):
                return await self._follow(url)
        except TimeoutError:
            raise ToolFailed(f"`{one_line(url, 200)}` was not there within {LIMIT_S:g} s") from None

    async def _follow(self, url: str) -> Page:
        for _ in range(_MOST_REDIRECTS + 1):
            url = url.partition("#")[0]
            self._hosts.refuse(url)
            answer, body, is_cut = await self._get(url)
            target = answer.headers.get("location")
            if answer.status in _REDIRECTS and target:
                try:
                    url = urljoin(url, target.strip())
                except ValueError:
                    raise ToolFailed(f"`{one_line(url, 200)}` redirects to what is no address") from None
                continue
            return await asyncio.to_thread(_page, url, answer, body, is_cut)
        raise ToolFailed(f"`{one_line(url, 200)}` is redirected more than {_MOST_REDIRECTS} times")

    async def _get(self, url: str) -> tuple[Answer, bytes, bool]:
        """Return the answer, the beginning of its body, and whether there was more."""
        pieces: list[bytes] = []
        read = 0

        def feed(piece: bytes) -> bool:
            nonlocal read
            read += len(piece)
            pieces.append(piece)
            return read > MOST_BYTES

        try:
            http = await self._http_for(url)
            answer = await http.send(
                "GET", url, {"Accept": _ACCEPT}, feed=feed, limit_s=LIMIT_S, most_bytes=MOST_BYTES * 2
            )
        except TransportError as e:
            raise ToolFailed(f"`{one_line(url, 200)}` can't be fetched: {e.reason}") from None
        except SettingsError as e:
            raise ToolFailed(f"`{one_line(url, 200)}` can't be fetched: {e.message}") from None
        body = answer.body or b"".join(pieces)
        return answer, body[:MOST_BYTES], len(body) > MOST_BYTES or bool(answer.broken)

    async def _http_for(self, url: str) -> Http:
        if self._hosts.may_be_private(url):
            return self._anywhere
        if not self._anywhere.is_proxied(url):
            return self._public
        await _refuse_private_name(url)
        return self._anywhere


async def _refuse_private_name(url: str) -> None:
    """Raise `ToolFailed` if the host resolves to what is not public. A name that is unknown here may be."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
    try:
        addresses = {str(ip_address(host))}
    except ValueError:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        addresses = {str(info[4][0]) for info in found}
    for address in addresses:
        if not is_public(address):
            raise ToolFailed(f"`{one_line(url, 200)}` can't be fetched: {address} is not of the public internet")


def _page(url: str, answer: Answer, body: bytes, is_cut: bool) -> Page:
    media_type, _, rest = answer.headers.get("content-type", "").partition(";")
    media_type = media_type.strip().lower()
    if not (_TEXTS.fullmatch(media_type) if media_type else b"\0" not in body[:8192]):
        raise ToolFailed(
            f"`{one_line(url, 200)}` is no text: {one_line(media_type, 80) or 'it does not say what it is'}"
        )
    text = body.decode(_encoding(rest, body), "replace")
    title, is_whole = "", not is_cut
    if media_type in {"text/html", "application/xhtml+xml"}:
        found = text_of_html(text, url)
        title, text, is_whole = found.title, found.text, is_whole and found.is_whole
    return Page(url, answer.status, media_type, title, text, is_whole)


def _encoding(parameters: str, body: bytes) -> str:
    named = re.search(r"charset\s*=\s*\"?([A-Za-z0-9_-]{2,30})", parameters, re.IGNORECASE)
    in_page = _IN_PAGE.search(body[:2048])
    name = named[1] if named else in_page[1].decode() if in_page else "utf-8"
    if not _ENCODINGS.fullmatch(name.lower()):
        return "utf-8"
    try:
        b"".decode(name)
    except LookupError:
        return "utf-8"
    return name
