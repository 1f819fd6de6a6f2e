"""One request to an authorisation server's endpoint: how it is sent, and how the answer is read.

Used by the modules of the RFCs beside it. No message shows a secret that was sent, even if the server does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from llm_orc.auth.masking import MASK, hide_in_error
from llm_orc.auth.oauth.addresses import problem_of
from llm_orc.auth.secret import Secret, remember
from llm_orc.dataclass import dataclass
from llm_orc.errors import LoginFailed
from llm_orc.net.text import one_line

if TYPE_CHECKING:
    from llm_orc.net.transport import Answer, Transport

Params = Mapping[str, str | Secret]

_LONGEST_WORDS = 200  # characters of a server's own text that are shown
LARGEST_BODY = 2**20
"""The most bytes of an answer; a token response has a few thousand."""

_SHORTEST_SECRET = 6  # characters; hiding shorter ones would mangle ordinary words
_SECRET_PARAM = re.compile(r"secret|password")  # names of parameters that settings add
_LONGEST_WAIT_S = 86_400.0
_TOKEN = re.compile(
    r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?"
)  # VSCHAR (RFC 6749, appendix A), no space at its ends
_LONGEST_TOKEN = 2**16
_ERROR_CODE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]{1,80}")  # RFC 6749 §5.2


@dataclass(frozen=True, slots=True)
class ServerError:
    """The server's error, ready to be shown: the OAuth `error` code, and its own text."""

    error: str
    words: str = ""

    def __str__(self) -> str:
        return f"`{self.error}` ({self.words})" if self.words else f"`{self.error}`"


def checked(url: str | None, name: str, provider: str) -> str:
    """Return the endpoint `name`. Raises `LoginFailed` if it is not configured or not safe to use."""
    setting = f"providers.{provider}.oauth.{name}"
    if not url:
        raise LoginFailed(
            f"provider `{provider}` has no `{name}`",
            hint=f"Set `{setting}`, or `providers.{provider}.oauth.issuer` if the server describes itself.",
            error="not_configured",
        )
    if problem := problem_of(url):
        address = one_line(url.rpartition("@")[2])  # what precedes an @ may be a password
        raise LoginFailed(
            f"the `{name}` of provider `{provider}`, `{address}`, can't be used: {problem}",
            hint=f"Set `{setting}` to an address that starts with `https://`.",
            error="not_configured",
        )
    return url


async def post(
    transport: Transport,
    url: str,
    params: Params,
    *,
    encoding: Literal["form", "json"] = "form",
    limit_s: float,
) -> Answer:
    """Send `params` in the body, never in the URL. Raises `TransportError`."""
    plain = {name: value.reveal() if isinstance(value, Secret) else value for name, value in params.items()}
    if encoding == "json":
        body, content_type = json.dumps(plain).encode(), "application/json"
    else:
        body, content_type = urlencode(plain).encode(), "application/x-www-form-urlencoded"
    headers = {"Content-Type": content_type, "Accept": "application/json"}
    return await transport.send("POST", url, headers, body, limit_s=limit_s, most_bytes=LARGEST_BODY)


def json_object(answer: Answer) -> dict[str, Any] | None:
    """Return the body if it is a JSON object; None for anything else, such as a proxy's page."""
    if "html" in answer.headers.get("content-type", "").lower():
        return None
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def is_token(value: object) -> bool:
    """Can it be used unchanged in a header or a form? What can't is never stored."""
    return isinstance(value, str) and len(value) <= _LONGEST_TOKEN and _TOKEN.fullmatch(value) is not None


def server_error(body: Mapping[str, Any] | None, sent: Params) -> ServerError | None:
    """Read RFC 6749 §5.2, and the nested `{"error": {"type": …, "message": …}}` that some servers use instead."""
    if body is None:
        return None
    error, words = body.get("error"), body.get("error_description")
    if isinstance(error, dict):
        words = error.get("message")
        error = next((error[name] for name in ("code", "type") if isinstance(error.get(name), str)), None)
    elif not isinstance(error, str):
        error, words = body.get("code"), body.get("message")
    if not isinstance(error, str) or not _ERROR_CODE.fullmatch(error):
        return None
    return ServerError(shown(error, sent), shown(words, sent) if isinstance(words, str) else "")


def shown(words: str, sent: Params) -> str:
    """Make a server's text fit for a message: one short line, without any secret that was sent."""
    for name, value in sent.items():
        secret = value.reveal() if isinstance(value, Secret) else value if _SECRET_PARAM.search(name) else ""
        remember(secret)
        if len(secret) >= _SHORTEST_SECRET:
            words = words.replace(secret, MASK)  # even if it might be a common word
    return one_line(hide_in_error(words), _LONGEST_WORDS)


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds to wait (RFC 9110 §10.2.3), at most a day; None if the server does not say."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WAIT_S)
    then = _unix(text)
    return None if then is None else min(max(0.0, then - now), _LONGEST_WAIT_S)


def date_skew_s(headers: Mapping[str, str], now: float) -> float | None:
    """How far the server's clock is ahead of ours, in seconds, from its `Date`."""
    then = _unix(headers.get("date", ""))
    return None if then is None else then - now


def _unix(http_date: str) -> float | None:
    try:
        then = parsedate_to_datetime(http_date)
        return (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None
