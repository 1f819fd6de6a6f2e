"""The page that the browser shows after a sign-in. It is self-contained and has no code, token or address."""

from __future__ import annotations

from html import escape
from string import Template

from llm_orc.dataclass import dataclass

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 18vh auto 0; padding: 0 1.5rem; }
  h1 { font-size: 1.5rem; font-weight: 600; border-left: .3rem solid $colour; padding-left: .8rem; }
  p { opacity: .85; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>$title</h1>
<p>$words</p>
<p>$next</p>
</body>
</html>
""")

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address of the page contains the code
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to the browser."""

    status: int
    title: str
    words: str
    next: str
    reason: str = "OK"

    def as_bytes(self) -> bytes:
        colour = "#2e8b57" if self.status < 400 else "#b3541e"
        body = _PAGE.substitute(
            title=escape(self.title), words=escape(self.words), next=escape(self.next), colour=colour
        ).encode()
        allow = {"Allow": "GET"} if self.status == 405 else {}
        headers = {**_HEADERS, **allow, "Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {self.status} {self.reason}\r\n{lines}\r\n".encode("ascii") + body


def worked() -> Page:
    return Page(200, "You are signed in", "llm-orc has what it needs.", "You can close this page.")


def received() -> Page:
    """The code has arrived, and the server takes long to exchange it."""
    words = "llm-orc has received the sign-in and is still finishing it."
    return Page(200, "Almost there", words, "The result will be in your terminal. You can close this page.")


def failed(words: str) -> Page:
    next_words = "Nothing was stored. Your terminal says what to do next."
    return Page(400, "The sign-in did not work", words, next_words, "Bad Request")


def ignored(words: str) -> Page:
    next_words = "llm-orc is still waiting for the right page: finish the sign-in that it opened."
    return Page(400, "This is not the sign-in that llm-orc is waiting for", words, next_words, "Bad Request")


def already_here() -> Page:
    words = "llm-orc already has the answer to this sign-in."
    return Page(409, "Already received", words, "Look at your terminal. You can close this page.", "Conflict")


def elsewhere(status: int, reason: str) -> Page:
    """Not the callback: a browser's `favicon.ico`, a scanner, a request for another host."""
    return Page(
        status, reason, "This address only receives the result of a sign-in.", "You can close this page.", reason
    )
