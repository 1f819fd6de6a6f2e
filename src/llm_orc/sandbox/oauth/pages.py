"""The pages of the sandbox's authorisation server: plain HTML, nothing loaded from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_STYLE = (
    "body{font:1.1em/1.5 system-ui,sans-serif;max-width:34em;margin:4em auto;padding:0 1em}button{font:inherit}"
)


def page(title: str, *paragraphs: str, status: int = 200) -> web.Response:
    """Return a whole page; `paragraphs` must be escaped HTML."""
    text = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return web.Response(
        status=status,
        content_type="text/html",
        charset="utf-8",
        headers=_HEADERS,
        text=(
            f"<!doctype html><html lang=en><title>{escape(title)}</title><style>{_STYLE}</style>"
            f"<h1>{escape(title)}</h1>{text}"
            "<p><small>This is the llm-orc sandbox on this machine: it imitates a sign-in, no account exists."
            "</small></p></html>"
        ),
    )


def refusal(what: str) -> web.Response:
    """The error page for requests that must not be redirected (RFC 6749 §4.1.2.1)."""
    return page("This sign-in can't go on", escape(what), status=400)


def consent(action: str, client_id: str, scopes: Sequence[str], hidden: Mapping[str, str]) -> web.Response:
    fields = "".join(
        f'<input type=hidden name="{escape(name)}" value="{escape(value)}">' for name, value in hidden.items()
    )
    return page(
        "Allow access to the sandbox?",
        f"<b>{escape(client_id)}</b> asks for: {escape(', '.join(scopes))}.",
        f'<form method=post action="{escape(action)}">{fields}'
        "<button name=decision value=allow>Allow</button> <button name=decision value=deny>Deny</button></form>",
    )


def enter_user_code(action: str) -> web.Response:
    return page(
        "Enter the code that your terminal shows",
        f'<form method=get action="{escape(action)}"><input name=user_code autocomplete=off autofocus>'
        " <button>Continue</button></form>",
    )


def copy_code(code: str, state: str) -> web.Response:
    """The page for clients without a redirect: it shows the code and the state, to be copied."""
    return page(
        "Copy this into your terminal",
        f"<code>{escape(code)}#{escape(state)}</code>",
        "It works once, and only for the sign-in that you began.",
    )
