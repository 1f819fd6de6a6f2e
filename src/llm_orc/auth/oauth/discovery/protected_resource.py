"""Where a protected server wants its users to sign in: its challenge, and its own description (RFC 9728).

Source for servers of tools: https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization. A server
of the first version with authorization describes nothing; its own origin is its authorisation server then.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llm_orc.auth.oauth.addresses import problem_of
from llm_orc.auth.oauth.endpoint import LARGEST_BODY, json_object, shown
from llm_orc.auth.oauth.metadata import LIMIT_S
from llm_orc.dataclass import dataclass
from llm_orc.errors import LoginFailed
from llm_orc.net.origin import origin_of
from llm_orc.net.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llm_orc.net.transport import Transport

_PARAM = re.compile(r'([A-Za-z_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_LONGEST_CHALLENGE = 8192  # characters
_MOST_SCOPES = 50
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")  # RFC 6749 §3.3


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a server says of itself as it refuses a request (RFC 6750 §3, RFC 9728 §5.1); empty: it doesn't say."""

    resource_metadata: str = ""
    scopes: tuple[str, ...] = ()
    error: str = ""

    @property
    def wants_more(self) -> bool:
        """Whether the token is good, but permits too little."""
        return self.error == "insufficient_scope"


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """`resource` is what tokens are for (RFC 8707), `issuer` the authorisation server that gives them."""

    resource: str
    issuer: str
    scopes: tuple[str, ...] = ()


def read_challenge(header: str) -> Challenge:
    """Read a `WWW-Authenticate` header; whatever it holds, this raises nothing."""
    found: dict[str, str] = {}
    for name, quoted, bare in _PARAM.findall(header[:_LONGEST_CHALLENGE]):
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or bare)
    scopes = _scopes(found.get("scope", "").split(" "))
    return Challenge(found.get("resource_metadata", ""), scopes, found.get("error", ""))


def _scopes(said: Iterable[object]) -> tuple[str, ...]:
    """Return what of this can be scopes; a server's text is shown to people, and in commands that they copy."""
    return tuple([one for one in said if isinstance(one, str) and _SCOPE.fullmatch(one)][:_MOST_SCOPES])


async def find_resource(url: str, challenge: Challenge, transport: Transport, name: str) -> ProtectedResource:
    """Return what the server at `url` says of itself, or what is usual where it says nothing.

    `name` is what its user calls it. Raises `LoginFailed` for a description that can't be trusted: one of another
    server, or an address that is not safe.
    """
    for address in _addresses(url, challenge):
        if problem := problem_of(address):
            raise _unusable(
                name, f"the address of its description, `{shown(address, {})}`, can't be used: {problem}"
            )
        try:
            answer = await transport.send(
                "GET", address, {"Accept": "application/json"}, limit_s=LIMIT_S, most_bytes=LARGEST_BODY
            )
        except TransportError as e:
            raise _unusable(name, f"`{address}`: {shown(e.reason, {})}") from e
        metadata = json_object(answer)
        if answer.status != 200 or metadata is None:
            continue
        resource, issuers = metadata.get("resource"), metadata.get("authorization_servers")
        if not isinstance(resource, str) or not _is_of(resource, url):
            raise _unusable(name, f"`{address}` describes `{shown(str(resource), {})}`, not `{url}`")
        issuer = next((one for one in issuers if isinstance(one, str)), "") if isinstance(issuers, list) else ""
        scopes = metadata.get("scopes_supported")
        listed = _scopes(scopes) if isinstance(scopes, list) else ()
        return ProtectedResource(resource, issuer or origin_of(url), challenge.scopes or listed)
    return ProtectedResource(url, origin_of(url), challenge.scopes)


def _addresses(url: str, challenge: Challenge) -> Iterator[str]:
    """The address that the server names, or the well-known ones (RFC 9728 §3.1): of its path, then of its host."""
    if challenge.resource_metadata:
        yield challenge.resource_metadata
        return
    path = urlsplit(url).path.rstrip("/")
    well_known = f"{origin_of(url)}/.well-known/oauth-protected-resource"
    if path:
        yield f"{well_known}{path}"
    yield well_known


def _is_of(resource: str, url: str) -> bool:
    """Whether tokens for `resource` are for `url`: it is the same, or what `url` is below (RFC 9728 §3.3)."""
    try:
        if origin_of(resource) != origin_of(url):
            return False
    except ValueError:
        return False
    above, path = urlsplit(resource).path.rstrip("/"), urlsplit(url).path.rstrip("/")
    return path == above or path.startswith(f"{above}/")


def _unusable(name: str, what: str) -> LoginFailed:
    return LoginFailed(f"the sign-in of `{name}` can't be set up: {what}", error="metadata")
