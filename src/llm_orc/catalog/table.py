"""The table of what exists, by name; other rows can be added to it while a program runs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from llm_orc.catalog.acp_agents import ACP_ROWS
from llm_orc.catalog.official_clis import OFFICIAL_CLI_ROWS
from llm_orc.catalog.providers import PROVIDER_ROWS
from llm_orc.catalog.rows import OfficialCliRow, ProviderSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_clis = {row.name: row for row in (*OFFICIAL_CLI_ROWS, *ACP_ROWS)}
_providers = {row.name: row for row in (*PROVIDER_ROWS, *(row.provider for row in _clis.values()))}

PROVIDERS: Mapping[str, ProviderSpec] = MappingProxyType(_providers)
"""Every provider; an official CLI is one, too."""
OFFICIAL_CLIS: Mapping[str, OfficialCliRow] = MappingProxyType(_clis)


COMPATIBLE = "openai-compatible"
_OLDER_NAMES: Mapping[str, str] = MappingProxyType({"google": "google-gemini"})
_LOCAL_SERVERS: Mapping[str, str] = MappingProxyType({"llama-server": "http://127.0.0.1:8080/v1"})


def provider_name(name: str) -> str:
    """Return the name of a provider that an earlier release may have called `name`."""
    return _OLDER_NAMES.get(name, name)


def row_of(name: str) -> ProviderSpec | None:
    """Return the row of a provider; `openai-compatible/NAME` is one more compatible server, of any name.

    `llama-server` is the compatible server of llama.cpp at its usual port, as in earlier releases.
    """
    name = provider_name(name)
    if name in _LOCAL_SERVERS and name not in _providers:
        return replace(
            _providers[COMPATIBLE], name=name, title=f"{name} on this machine", base_url=_LOCAL_SERVERS[name]
        )
    if name.startswith(f"{COMPATIBLE}/") and name != f"{COMPATIBLE}/":
        return replace(_providers[COMPATIBLE], name=name)
    return _providers.get(name)


@contextmanager
def added(*rows: ProviderSpec | OfficialCliRow) -> Iterator[None]:
    """Add rows until the context ends. Raises `ValueError` for a name that is taken."""
    providers, clis = dict(_providers), dict(_clis)
    try:
        for row in rows:
            provider = row.provider if isinstance(row, OfficialCliRow) else row
            if provider.name in _providers:
                raise ValueError(f"there is a provider `{provider.name}` already")
            _providers[provider.name] = provider
            if isinstance(row, OfficialCliRow):
                _clis[row.name] = row
        yield
    finally:
        _providers.clear()
        _providers.update(providers)
        _clis.clear()
        _clis.update(clis)


def method_names() -> tuple[str, ...]:
    """Return the names of all methods to get access: what `--method` and `auth_method` take."""
    return ("api-key", "oauth", "token-command", *_clis)


def stray_keys(row: OfficialCliRow, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables that are set and hold keys which the program would bill in the place of its plan."""
    sibling = _providers.get(row.metered_sibling or "")
    return tuple(name for name in (sibling.api_key_env if sibling else ()) if environ.get(name, "").strip())


def supported_way(provider: str) -> str:
    """Return the sentence that recommends the vendor's own program; empty where there is none."""
    row = _providers.get(provider)
    if row is None or row.cli is None:
        return ""
    return f"The supported way is {_clis[row.cli].title}: llm-orc auth add {provider} --method {row.cli}."


def is_alias(spec: ProviderSpec) -> bool:
    """Return whether this is an official CLI under its own name that serves another provider, too."""
    return spec.name == spec.cli and any(s.cli == spec.cli and s.name != spec.name for s in _providers.values())
