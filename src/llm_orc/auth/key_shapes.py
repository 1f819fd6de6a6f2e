"""What API keys look like: the prefixes of each provider, as documented or seen in all its keys; keys in files."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from llm_orc.catalog.table import OFFICIAL_CLIS, PROVIDERS
from llm_orc.net.origin import origin_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.catalog.rows import ProviderSpec


class Prefix(NamedTuple):
    """`owner` issues keys with this prefix, `origin` accepts them (empty: unknown), `hint` says what to do.

    `provider` is the row that takes such keys; empty: none does.
    """

    begins: str
    owner: str
    origin: str = ""
    hint: str = "Use a key of the right provider."
    provider: str = ""


_OTHERS = (  # who give keys and are no providers of ours
    Prefix("pplx-", "Perplexity", "https://api.perplexity.ai"),
    Prefix("nvapi-", "NVIDIA", "https://integrate.api.nvidia.com"),
    Prefix("ghp_", "GitHub"),
    Prefix("github_pat_", "GitHub"),
    Prefix("glpat-", "GitLab"),
    Prefix("AKIA", "AWS"),
)
_VERSION = re.compile(r"(?:[a-z]{1,8}\d{1,2}|v\d)-")  # `api03-`, `oat01-`, `v1-`
_TOKEN_BEGINNINGS = ("eyJ", "ya29.", "1//")  # a JSON Web Token; Google's access and refresh tokens
_SHORTEST = 4  # characters behind a known beginning
_NAMED = re.compile(
    r"""(?: (?:key | token | secret | password | passphrase | credential | authorization | cookie)s?
        (?P<place>_env | _file)? ["']? \s*[:=]\s* \[?\s*
        (?: ["']? (?:bearer|basic) \s+ )? | \b(?:bearer|basic)\s+ )
    ["']? (?P<value> (?<=["'])[^"']{8,} | [^\s,"'{}\[\]]{8,} )""",
    re.IGNORECASE | re.VERBOSE,
)
_PLACE = re.compile(r"[A-Z_][A-Z0-9_]*|.*[/\\.~$].*")  # the name of a variable or of a file
_IN_URL = re.compile(r"//(?P<value>[^\s/@]+)@")
_JSON_WEB_TOKEN = re.compile(r"eyJ[\w-]{6,}\.[\w.-]+")  # RFC 7519
_TOKEN_HEAD = re.compile(r"eyJ[A-Za-z0-9_-]+\.")  # the header of a JSON Web Token (RFC 7519)


def known_prefixes() -> tuple[Prefix, ...]:
    """Return what is known, the longer beginning before one that it begins with."""
    return tuple(sorted((*_of_providers(), *_of_sign_ins(), *_OTHERS), key=lambda prefix: -len(prefix.begins)))


def _of_providers() -> Iterator[Prefix]:
    for row in PROVIDERS.values():
        for begins in row.key_prefixes:
            origin = origin_of(row.base_url) if row.base_url else ""
            yield Prefix(begins, row.key_owner or row.title, origin, f"llm-orc auth add {row.name}", row.name)


def _of_sign_ins() -> Iterator[Prefix]:
    for row in OFFICIAL_CLIS.values():
        export = f"Export it as {row.token_variable} for `{row.command}`, then: llm-orc auth add {row.name}"
        for begins in row.token_prefixes:
            yield Prefix(begins, f"a sign-in of {row.product}", hint=f"It is no API key. {export}.")


def prefix_of(key: str) -> Prefix | None:
    """Return the known prefix that this key starts with."""
    return next((prefix for prefix in known_prefixes() if key.startswith(prefix.begins)), None)


def foreign_prefix(key: str, origin: str) -> Prefix | None:
    """Return the prefix of a key that another server than `origin` accepts; None: nothing speaks against it."""
    prefix = prefix_of(key)
    return prefix if prefix is not None and origin in known_origins() and prefix.origin != origin else None


def doubt(key: str, row: ProviderSpec) -> str:
    """Say what is unusual in a key of this provider, as text that continues "it …"; empty: nothing.

    Shapes change without notice, so that is no reason to refuse it where its provider can be asked.
    """
    usual = (*row.key_prefixes, *row.shared_prefixes)
    if not usual or key.startswith(usual):
        return ""
    if key.startswith(_TOKEN_BEGINNINGS):
        return "begins like the token of a sign-in, which is no API key"
    begins = " or ".join(f"`{one}`" for one in usual)
    return f"doesn't begin with {begins}, as keys of {row.key_owner or row.title} do"


def known_origins() -> frozenset[str]:
    """Return the servers whose keys have a known prefix."""
    return frozenset(prefix.origin for prefix in known_prefixes() if prefix.origin)


def public_part(key: str) -> int:
    """Return how many characters at the start of `key` are public because many keys share them."""
    if head := _TOKEN_HEAD.match(key):
        return head.end()
    prefix = prefix_of(key)
    begins = prefix.begins if prefix else "sk-" if key.startswith("sk-") else ""
    begins = min(
        (row.begins for row in known_prefixes() if begins.startswith(row.begins)), key=len, default=begins
    )
    version = _VERSION.match(key, len(begins)) if begins else None
    return version.end() if version else len(begins)


def key_spans(line: str) -> list[tuple[int, int]]:
    """Return the positions of what looks like a key: by the name before it, its beginning, or its place in a URL.

    Behind a name that ends in `_env` or `_file`, the name of a variable or a file is no key.
    """
    named = [match for match in _NAMED.finditer(line) if not _is_public(match)]
    shaped = (*_JSON_WEB_TOKEN.finditer(line), *_shapes().finditer(line))
    return [
        *(match.span("value") for match in (*named, *_IN_URL.finditer(line))),
        *(match.span() for match in shaped),
    ]


def _is_public(found: re.Match[str]) -> bool:
    value = found["value"]
    return value.isdecimal() or (found["place"] is not None and _PLACE.fullmatch(value) is not None)


@cache
def _shapes() -> re.Pattern[str]:
    begins = "|".join(re.escape(begin) for begin in ("sk-", *(row.begins for row in known_prefixes())))
    return re.compile(rf"\b(?:{begins})[\w.-]{{{_SHORTEST},}}")
