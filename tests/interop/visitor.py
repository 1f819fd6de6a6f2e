"""A browser without a screen: keeps cookies, follows redirects, fills in and sends the forms it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import aiohttp

_MOST_PAGES = 10


@dataclass
class Form(HTMLParser):
    """The first form of a page, and where its links lead."""

    action: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and self.action is None:
            self.action = given["action"]
        elif tag == "input" and "name" in given:
            self.fields[given["name"]] = given.get("value", "")
        elif tag == "a":
            self.links.append(given.get("href", ""))


@dataclass(frozen=True, slots=True)
class Page:
    """The one that a visit ended on."""

    status: int
    text: str
    url: str


async def visit(url: str, *, account: str = "ada", agrees: bool = True) -> Page:
    """Sign in as `account` and agree, or turn back, wherever a page asks; return the last page."""
    jar = aiohttp.CookieJar(unsafe=True)  # its servers have no names
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        page, form = await _go(session, "GET", url)
        for _ in range(_MOST_PAGES):
            if form.action is None:
                return page
            abort = next((link for link in form.links if link.endswith("/abort")), None)
            if not agrees and abort is not None:
                return (await _go(session, "GET", urljoin(page.url, abort)))[0]
            answers = {"login": account, "password": "any"} if "login" in form.fields else {}
            page, form = await _go(session, "POST", urljoin(page.url, form.action), form.fields | answers)
    raise AssertionError(f"no end of forms at {page.url}")


async def _go(
    session: aiohttp.ClientSession, method: str, url: str, fields: dict[str, str] | None = None
) -> tuple[Page, Form]:
    async with session.request(method, url, data=fields) as response:
        page = Page(response.status, await response.text(), str(response.url))
    form = Form()
    form.feed(page.text)
    return page, form
