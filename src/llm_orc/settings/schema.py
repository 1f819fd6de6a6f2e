"""What may stand in `config.yaml` and `profiles/*.yaml`: every key, and what each must be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlsplit

from llm_orc.settings.model import BillingName, DialectName
from llm_orc.storage.yaml_fields import (
    Kind,
    WrongValue,
    boolean,
    choice,
    json_mapping,
    non_empty_text,
    number,
    text,
    type_of,
    whole_number,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.jsontypes import JsonValue

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_CREDENTIAL_HEADER = re.compile(r"auth|cookie|api-?_?key|token|secret|passw|credential", re.IGNORECASE)
KEY_ITSELF = frozenset({"api_key", "apikey", "key", "token", "access_token", "auth_token", "secret", "password"})
KEY_HINT = "keys don't belong into this file: name a variable with `api_key_env`, or a file with `api_key_file`"


def _optional(kind: Kind) -> Kind:
    """An empty value takes back what a lower layer says."""

    def read(value: JsonValue) -> Any:
        return None if value is None else kind(value)

    return read


def variable_name(value: JsonValue) -> str:
    if isinstance(value, str) and _ENV_NAME.fullmatch(value):
        return value
    raise WrongValue("the name of an environment variable", "write the variable's name, never the key itself")


def file_path(value: JsonValue) -> str:
    found = non_empty_text(value)
    if "\0" in found:
        raise WrongValue("the path of a file")
    return found


def base_url(value: JsonValue) -> str:
    """An address that may be shown: messages never repeat a wrong one, since it may hold a password."""
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
        if not isinstance(content, str) or not content.isprintable() or not content.isascii():
            raise WrongValue(f"a mapping of header names to one line of ASCII text each; see `{name}`")
    return {name: str(content) for name, content in value.items()}


_PROFILE_KINDS: Mapping[str, Kind] = {
    "model": _optional(non_empty_text),
    "provider": _optional(non_empty_text),
    "base_url": _optional(base_url),
    "api_key_env": _optional(variable_name),
    "api_key_file": _optional(file_path),
    "system_prompt": _optional(text),
    "timeout_seconds": _optional(number(0, above=True)),
    "temperature": _optional(number(0)),
    "max_tokens": _optional(whole_number(1)),
    "options": json_mapping,
    "cost_per_token": _optional(number(0)),
    "fallback_model_profile": _optional(non_empty_text),
}
_PROVIDER_KINDS: Mapping[str, Kind] = {
    "base_url": _optional(base_url),
    "dialect": _optional(choice(*get_args(DialectName))),
    "api_key_env": _optional(variable_name),
    "api_key_file": _optional(file_path),
    "default_model": _optional(non_empty_text),
    "billing": _optional(choice(*get_args(BillingName))),
    "headers": headers,
}
_RUN_KINDS: Mapping[str, Kind] = {
    "record": boolean,
    "keep_days": _optional(whole_number(1)),
    "max_concurrent": _optional(whole_number(1)),
    "timeout_seconds": _optional(number(0, above=True)),
    "max_retries": whole_number(0),
}
_NETWORK_KINDS: Mapping[str, Kind] = {
    "ca_file": _optional(file_path),
    "connect_timeout_seconds": number(0, above=True),
    "idle_timeout_seconds": number(0, above=True),
}

# Sections of named entries, and plain sections.
NAMED: Mapping[str, Mapping[str, Kind]] = {"model_profiles": _PROFILE_KINDS, "providers": _PROVIDER_KINDS}
PLAIN: Mapping[str, Mapping[str, Kind]] = {"runs": _RUN_KINDS, "network": _NETWORK_KINDS}
SECTIONS = (*NAMED, *PLAIN)
PATHS = frozenset({"api_key_file", "ca_file"})  # relative ones count from the file that names them
OPEN = frozenset({"options", "headers"})  # mappings whose own keys merge one by one
