"""The types of value that only settings have: addresses, paths, headers, names of variables."""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llm_orc.storage.field_types import WrongValue, field_type, non_empty_text, text, type_of

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_CREDENTIAL_HEADER = re.compile(r"auth|cookie|api-?_?key|token|secret|passw|credential", re.IGNORECASE)
# Headers that HTTP itself uses for a request and its connection (RFC 9110, 9112): set by the transport.
_OF_THE_TRANSPORT = frozenset(
    {
        *("host", "content-length", "transfer-encoding", "te", "trailer", "expect", "upgrade", "http2-settings"),
        *("connection", "keep-alive", "proxy-connection", "content-type", "content-encoding", "accept-encoding"),
    }
)
KEY_HINT = "Keys don't belong in this file: name a variable with `api_key_env`, or a file with `api_key_file`."


@field_type({"type": ["array", "null"], "items": {"type": "string", "pattern": r"\S"}}, "a list of names")
def names(value: JsonValue) -> tuple[str, ...]:
    """A list of names, none of them empty."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise WrongValue("a list of names")
    return tuple(str(item) for item in value)


@field_type(
    {"type": ["array", "null"], "items": {"type": "string"}, "minItems": 1}, "a list: a program and its arguments"
)
def command_line(value: JsonValue) -> tuple[str, ...]:
    """A command that is run without a shell. Its program is on the PATH, or has an absolute path."""
    if value is None:
        return ()
    needed = "a list: a program and its arguments"
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        hint = "Write `[program, argument, …]`; numbers and `true` need quotes." if value else None
        raise WrongValue(needed, hint)
    argv = tuple(str(item) for item in value)
    if not argv[0].strip() or any("\0" in item for item in argv):
        raise WrongValue(needed)
    program = argv[0]
    is_bare = not any(separator in program for separator in ("/", "\\"))
    is_absolute = program.startswith(("/", "~/", "~\\")) or PureWindowsPath(program).is_absolute()
    if not (is_bare or is_absolute):
        raise WrongValue(
            "a list that begins with a program's name or absolute path",
            "A relative path would be another program in each folder.",
        )
    return argv


@field_type({"type": "string", "pattern": f"^{_ENV_NAME.pattern}$"}, "the name of an environment variable")
def variable_name(value: JsonValue) -> str:
    if isinstance(value, str) and _ENV_NAME.fullmatch(value):
        return value
    raise WrongValue("the name of an environment variable", "Write the variable's name, never the key itself.")


@field_type(
    {"type": "string", "pattern": r"^(sqlite:///.+|postgres(ql)?://[^/?#]*.*)$"},
    "an absolute path, or an address without a password",
)
def store_address(value: JsonValue) -> str:
    """Where batches are stored. A relative path would mean a different file in each folder."""
    found = non_empty_text(value)
    scheme, separator, rest = found.partition("://")
    if not separator and Path(found).expanduser().is_absolute():
        return found
    if (
        scheme not in {"sqlite", "postgresql", "postgres"}
        or not rest
        or (scheme == "sqlite" and rest in {"", "/"})
    ):
        raise WrongValue("an absolute path, or an address like `postgresql://user@host/database`")
    if scheme != "sqlite" and (":" in rest.split("/")[0].rpartition("@")[0] or "password=" in rest):
        raise WrongValue("an address without a password", "Put it into ~/.pgpass or PGPASSWORD.")
    return found


@field_type(non_empty_text.schema, "the path of a file", "path")
def file_path(value: JsonValue) -> str:
    found = non_empty_text(value)
    if "\0" in found:
        raise WrongValue("the path of a file")
    return found


@field_type(
    {"type": "string", "pattern": "^[hH][tT][tT][pP][sS]?://[^?#]+$"}, "an `http://` or `https://` address"
)
def base_url(value: JsonValue) -> str:
    """An address without secrets: messages never repeat a wrong one, because it may contain a password."""
    found = text(value)
    try:
        parts = urlsplit(found)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    else:
        if "@" in parts.netloc:
            raise WrongValue("without a user name or password")
    if not usable or "?" in found or "#" in found:
        raise WrongValue("an address like `https://host/v1`")
    return found


@field_type(
    {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
    "a mapping of header names to text",
    "mapping",
)
def headers(value: JsonValue) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WrongValue(f"a mapping of header names to text, not {type_of(value)}")
    for name, content in value.items():
        if not _HEADER_NAME.fullmatch(name):
            raise WrongValue("made of valid header names (letters, digits and `-`)")
        if _CREDENTIAL_HEADER.search(name):
            raise WrongValue(f"free of credentials, and `{name}` looks like one", KEY_HINT)
        if name.lower() in _OF_THE_TRANSPORT:
            raise WrongValue(f"free of what HTTP itself says, and `{name}` is that", "Remove it.")
        if sum(name.lower() == other.lower() for other in value) > 1:
            raise WrongValue(f"a mapping where each header stands once, and `{name}` stands twice")
        if not isinstance(content, str) or not content.isprintable() or not content.isascii():
            raise WrongValue(f"a mapping of header names to one line of ASCII text each; see `{name}`")
    return {name: str(content) for name, content in value.items()}


@field_type(
    {"type": ["object", "null"], "additionalProperties": {"type": ["string", "null"]}},
    "a mapping of names of variables to text, or to nothing",
    "mapping",
)
def variables(value: JsonValue) -> dict[str, str | None]:
    """Variables of a program; one without a value is passed on from the environment."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WrongValue(f"a mapping of names of variables to text, not {type_of(value)}")
    for name, content in value.items():
        if not _ENV_NAME.fullmatch(name):
            raise WrongValue("made of names of environment variables (letters, digits and `_`)")
        if content is None:
            continue
        if not isinstance(content, str) or "\0" in content:
            raise WrongValue(f"a mapping of names of variables to text; see `{name}`", "Numbers need quotes.")
        if content and _CREDENTIAL_HEADER.search(name.replace("_", "-")):
            hint = f"Leave it empty, `{name}:`, and it is passed on from your environment."
            raise WrongValue(f"free of credentials, and `{name}` looks like one", hint)
    return {name: content if content is None else str(content) for name, content in value.items()}
