"""The one check of API keys, for every source: before a run, and without the key in any message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from llm_orc.auth.key_shapes import foreign_prefix, known_origins
from llm_orc.auth.secret import Secret
from llm_orc.errors import KeyMalformed

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST = 8192  # characters that servers accept in one header
_BLANKS = " \t\r\n"
_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
_ASSIGNMENT = re.compile(
    r"(?:export|set|setx|setenv|env)\s+\$?\w+|(?:\$env:)?[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\s*[=:]"
    r"|['\"]?(?i:api[_-]?key|key|token)['\"]?\s*[=:]"
)
_SCHEME = re.compile(r"(?i:(?:authorization|x-api-key|x-goog-api-key)\s*:|(?:bearer|basic)\s)")
_PLACEHOLDER = re.compile(r"\$\{?\w+\}?|%\w+%|<.*>|\[.*\]|.*\.\.\.|(?i:(?:your|my|paste|insert)[-_ ].*key.*)")
_MASKED_HINT = "Copy the whole key. Most providers show it only once: if it is gone, make another."
_MASKED = re.compile(r".*(?:\*{3}|[\u2022\u25cf\u2026]).*|.*\.{3}.+")
_FILLER = re.compile(r"(?i:[a-z]{2,}[-_].*x{6,}.*)")  # a server of unknown origin may want no better key
_ADDRESS = re.compile(r"(?i:https?://)")


class KeyProblem(NamedTuple):
    """What is wrong with a key, as text that continues "it …", and what to do."""

    words: str
    hint: str


def checked_key_text(text: str, where: str, origin: str = "") -> Secret:
    """Return the key without surrounding whitespace. Raises `KeyMalformed`, which names `where` and not the key.

    `origin` is the server that it would be sent to: a key that is recognized as another one's is refused. Servers
    of unknown origin may accept any key.
    """
    key = text.removeprefix("\ufeff").strip(_BLANKS)
    if problem := problem_of(key, origin):
        raise KeyMalformed(f"{where} is not a valid API key: it {problem.words}", hint=problem.hint)
    return Secret(key)


def checked_key_bytes(data: bytes, where: str, origin: str = "") -> Secret:
    """Return the key in a file or standard input, as `checked_key_text` does."""
    return checked_key_text(key_text(data, where), where, origin)


def key_text(data: bytes, where: str) -> str:
    """Return what is in a file or standard input. Raises `KeyMalformed`."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        words, hint = "is not UTF-8 text", "Save only the key, as plain text."
        raise KeyMalformed(f"{where} is not a valid API key: it {words}", hint=hint) from None


def problem_of(key: str, origin: str = "") -> KeyProblem | None:
    """Return the first problem with a key, None if it can be sent."""
    return next(_problems(key, origin), None)


def _problems(key: str, origin: str) -> Iterator[KeyProblem]:
    alone = "Put only the key there, on one line."
    if not key:
        yield KeyProblem("is empty", alone)
    if len(key.splitlines()) > 1:
        yield KeyProblem("has more than one line", alone)
    if _ASSIGNMENT.match(key):
        yield KeyProblem("starts with a name, as `NAME=key` does", "Put only the key there, without `NAME=`.")
    if _SCHEME.match(key):
        yield KeyProblem("starts with a header name or scheme, as `Bearer …` does", alone)
    if key[:1] in _QUOTES or key[-1:] in _QUOTES:
        yield KeyProblem("is in quotes", "Put the key there without quotes.")
    if _ADDRESS.match(key) or key.startswith(("{", "-----BEGIN")):
        yield KeyProblem("is a URL, a document or a certificate", alone)
    yield from _stand_ins(key, origin)
    if unseen := next((c for c in key if not c.isascii() or ord(c) < 0x21 or ord(c) == 0x7F), ""):
        what = {" ": "a space", "\t": "a tab"}.get(unseen, f"the character U+{ord(unseen):04X}")
        yield KeyProblem(f"contains {what}, which no key does", "Copy it again, or delete that character.")
    if len(key) > _LONGEST:
        yield KeyProblem(f"is longer than {_LONGEST} characters", alone)
    yield from _foreign(key, origin)


def _stand_ins(key: str, origin: str) -> Iterator[KeyProblem]:
    if _MASKED.fullmatch(key):
        yield KeyProblem("is shown in part only, as pages mask keys", _MASKED_HINT)
    if _PLACEHOLDER.fullmatch(key) or (origin in known_origins() and _FILLER.fullmatch(key)):
        yield KeyProblem("is a placeholder", "Put the key itself there; placeholders are not filled in.")


def _foreign(key: str, origin: str) -> Iterator[KeyProblem]:
    if (prefix := foreign_prefix(key, origin)) is not None:
        yield KeyProblem(f"looks like one of {prefix.owner}, but would be sent to `{origin}`", prefix.hint)
