"""The types of value that only a sign-in has: endpoints, scopes, parameters of requests."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from llm_orc.net.origin import is_loopback
from llm_orc.storage.field_types import FieldType, WrongValue, field_type, json_mapping, text, type_of

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.storage.field_types import JsonSchema

_ADDRESS: JsonSchema = {"type": "string", "pattern": "^[hH][tT][tT][pP][sS]?://"}
_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")  # RFC 6749 §3.3
_PARAMETER = re.compile(r"[A-Za-z0-9_.-]+")
_LOOPBACK_LITERALS = frozenset({"127.0.0.1", "::1"})
SET_BY_AUTHORIZE = frozenset(
    {
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "nonce",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
    }
)
SET_BY_EXCHANGE = frozenset(
    {
        "client_id",
        "client_secret",
        "code",
        "code_verifier",
        "device_code",
        "grant_type",
        "redirect_uri",
        "refresh_token",
        "scope",
        "state",
    }
)


@field_type(_ADDRESS, "an `https://` address")
def endpoint(value: JsonValue) -> str:
    """An address that codes and tokens may be sent to. It may have a query (RFC 6749 §3.1)."""
    found, parts = _url(value)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK_LITERALS):
        return found
    raise WrongValue("an `https://` address; plain `http://` is for `127.0.0.1` and `[::1]` only")


@field_type(_ADDRESS, "an `https://` address")
def issuer(value: JsonValue) -> str:
    """RFC 8414 §2: no query."""
    found = endpoint(value)
    if "?" in found:
        raise WrongValue("without a `?` part")
    return found


@field_type(_ADDRESS, "an `https://` address, or `http://` on this machine")
def redirect_uri(value: JsonValue) -> str:
    """A page of the provider, or this machine: `localhost` too, if a server has registered nothing else."""
    found, parts = _url(value)
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        return found
    raise WrongValue("an `https://` address, or `http://` on this machine")


@field_type(_ADDRESS, "an `https://` address")
def web_page(value: JsonValue) -> str:
    found, parts = _url(value)
    if parts.scheme != "https":
        raise WrongValue("an `https://` address")
    return found


@field_type(
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    "a list, or text with spaces between",
)
def scopes(value: JsonValue) -> tuple[str, ...]:
    """A list, or one text with spaces between, as OAuth writes them."""
    listed = value.split() if isinstance(value, str) else value
    if not isinstance(listed, list):
        raise WrongValue(f"a list of scopes, not {type_of(value)}")
    for scope in listed:
        if not isinstance(scope, str) or not _SCOPE.fullmatch(scope):
            raise WrongValue("a list of scopes: printable ASCII without spaces, quotes or backslashes")
    return tuple(dict.fromkeys(str(scope) for scope in listed))


def parameters(ours: frozenset[str]) -> FieldType[dict[str, str]]:
    """Return the type of additional request parameters, except `ours`, which the sign-in itself sets."""

    def read(value: JsonValue) -> dict[str, str]:
        mapping = json_mapping(value)
        for name, content in mapping.items():
            if name in ours:
                raise WrongValue(f"free of `{name}`, which the sign-in itself sets")
            if not isinstance(content, str):
                hint = "Put it in quotes." if isinstance(content, bool | int | float) else None
                raise WrongValue(f"a mapping of names to text, and `{name}` is {type_of(content)}", hint)
        return {name: str(content) for name, content in mapping.items()}

    schema: JsonSchema = {"type": ["object", "null"], "additionalProperties": {"type": "string"}}
    return FieldType(read, schema, "a mapping of names to text", "mapping")


@field_type(_ADDRESS, "an absolute address")
def resource(value: JsonValue) -> str:
    """RFC 8707 §2: an absolute URI without a fragment; unlike an endpoint, nothing is sent to it."""
    found, parts = _url(value)
    if parts.scheme in {"https", "http"}:
        return found
    raise WrongValue("an address like `https://host/path`")


@field_type({"type": "string", "pattern": "^[A-Za-z0-9_.-]+$"}, "the name of a parameter")
def parameter_name(value: JsonValue) -> str:
    """The name of a parameter (RFC 6749, appendix A) that the sign-in itself does not set."""
    found = text(value)
    if not _PARAMETER.fullmatch(found) or found in SET_BY_AUTHORIZE:
        raise WrongValue("the name of a parameter that the sign-in itself does not set")
    return found


@field_type({"type": "string", "minLength": 1}, "printable ASCII text")
def client_id(value: JsonValue) -> str:
    """RFC 6749, appendix A.1."""
    found = text(value)
    if not found or not found.isascii() or not found.isprintable():
        raise WrongValue("printable ASCII text that is not empty")
    return found


@field_type({"type": "string", "format": "date"}, 'a date like "2026-11-24"')
def iso_date(value: JsonValue) -> str:
    try:
        return date.fromisoformat(text(value)).isoformat()
    except ValueError as e:
        raise WrongValue("a date like `2026-11-24`") from e


def _url(value: JsonValue) -> tuple[str, SplitResult]:
    """Check a URL; messages never repeat it, because it may contain a password."""
    found = text(value)
    needs = "an address like `https://host/path`"
    try:
        parts = urlsplit(found)
        host, _ = parts.hostname, parts.port
    except ValueError as e:
        raise WrongValue(needs) from e
    if "@" in parts.netloc:
        raise WrongValue("without a user name or password")
    if not host or "#" in found or not found.isascii() or not found.isprintable() or " " in found:
        raise WrongValue(needs)
    return found, parts
