"""Mask credentials in replies: servers repeat them whole, in part and in other encodings.

A text is searched for any significant part of a secret: as it is, URL-encoded, in base64 at any offset (as in
`Basic` headers), in hexadecimal, and escaped as in JSON or HTML, in any case. That costs one lookup for every
fifth character of long words, and nothing for plain prose, however many secrets there are; and where a secret is
met, one for each character, also if the secret repeats itself.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote

from llm_orc.auth.key_shapes import public_part
from llm_orc.auth.secret import generation, revealed
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from llm_orc.jsontypes import JsonValue

MASK = "[credential]"

_SHORTEST_PART = 10  # characters of a secret that are masked; fewer reveal little and would hit common words
_SHORTEST_BASE64 = 14  # the same in bytes
_WINDOW, _STEP = 6, 5  # windows of this length at this distance hit every part of that length
_HEX_STEP = 3  # of windows that are known: parts are twice as long there, and 3 and 5 have no common divisor
_SHORT = 7  # characters; shorter secrets are only searched for in errors
_PLAIN_WORDS = 16  # from this length on, letters of one case alone count as a secret too
_SHORTEST_IN_ERRORS = 6
_LONGEST = 8192  # characters of a secret; a longer text is a document
_LONGEST_SPELT_OUT = 512  # characters that are also searched for in escaped form
_RUN = re.compile(rf"[!-~]{{{_SHORTEST_PART},}}")  # secrets contain neither spaces nor other scripts
_RUN_OF_ANY = re.compile(r"[!-~]+")
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
_PUNCTUATION = ".,;:!?()[]\"'`*"


@dataclass(frozen=True, slots=True)
class _Spelling:
    """One encoding of a secret. Parts of `shortest` characters are significant."""

    text: str
    shortest: int = _SHORTEST_PART
    public: int = 0  # characters of the prefix that every such credential has
    step: int = 1  # between the windows by which it is recognized
    may_be_words: bool = False


class Mask:
    """Knows secrets and masks them."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._literal: list[str] = []  # secrets that are no common words
        self._windows: dict[str, list[_Spelling]] = {}
        self._parts: dict[_Spelling, dict[str, bool]] = {}  # of spellings that were met
        self._short: list[str] = []  # short secrets, which are only matched whole
        self._anywhere = ""  # all encodings, to check whether a text may continue as one

    @property
    def is_empty(self) -> bool:
        return not self._known

    def add(self, secret: str) -> None:
        """Add `secret`, unless it is too short to be significant, or a whole document."""
        is_secret = _SHORTEST_IN_ERRORS <= len(secret) <= _LONGEST and _RUN_OF_ANY.fullmatch(secret)
        if secret in self._known or not is_secret:
            return
        self._known.add(secret)
        public = public_part(secret)
        if public or not _is_plain(secret):
            self._literal.append(secret)
        if len(secret) - public < _SHORTEST_PART and len(secret) > _SHORT and (public or not _is_plain(secret)):
            self._short.append(secret)
        for spelling in _spellings(secret, public):
            low = _folded(spelling.text)
            self._anywhere += f"\0{low}"
            for at in range(spelling.public, len(low) - _WINDOW + 1, spelling.step):
                found = self._windows.setdefault(low[at : at + _WINDOW], [])
                if not found or found[-1] is not spelling:
                    found.append(spelling)

    def knows_only(self, secrets: Collection[str]) -> bool:
        return self._known.issubset(secrets)

    def hide(self, text: str) -> str:
        """Return the text with every part of a secret masked."""
        if not self._may_hold(text) or not (spans := self.spans(text)):
            return text
        pieces, end = [], 0
        for start, stop in spans:
            pieces += [text[end:start], MASK]
            end = stop
        return "".join([*pieces, text[end:]])

    def hide_in_error(self, text: str) -> str:
        """Like `hide`, and also mask secrets that might be common words in an answer."""
        text = self.hide(text)
        for secret in self._literal:
            text = text.replace(secret, MASK)
        return text

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return the positions of secrets, in order and without overlap."""
        found: list[tuple[int, int]] = []
        for run in _RUN.finditer(text):
            found += self._in_run(_folded(run[0]), run.start())
        for secret in self._short:
            found += [match.span() for match in re.finditer(re.escape(secret), text, re.IGNORECASE | re.ASCII)]
        return _apart(found) if found else found

    def _may_hold(self, text: str) -> bool:
        """Return False fast if there is no secret, which is the usual case."""
        if len(text) < _SHORTEST_PART or self._short:
            return bool(self._short)
        windows = self._windows
        for word in text.split():
            if len(word) < _SHORTEST_PART or (len(word) < _PLAIN_WORDS and _is_word(word.strip(_PUNCTUATION))):
                continue
            low = _folded(word)
            for at in range(0, len(low) - _WINDOW + 1, _STEP):
                if low[at : at + _WINDOW] in windows:
                    return True
        return False

    def _in_run(self, run: str, offset: int) -> Iterator[tuple[int, int]]:
        windows = self._windows
        met: dict[_Spelling, None] = {}
        for at in range(0, len(run) - _WINDOW + 1, _STEP):
            met.update(dict.fromkeys(windows.get(run[at : at + _WINDOW], ())))
        for spelling in met:
            if spelling not in self._parts:
                self._parts[spelling] = _parts_of(spelling)
            for start, stop in _found(run, spelling, self._parts[spelling]):
                yield offset + start, offset + stop

    def may_go_on(self, word: str) -> int:
        """Return the length of the longest suffix of `word` that may continue as a secret or a part of one."""
        low = _folded(word)
        least, most = 0, len(low)  # if a suffix may continue, each shorter one may
        while least < most:
            length = (least + most + 1) // 2
            if low[-length:] in self._anywhere:
                least = length
            else:
                most = length - 1
        return least


class MaskedStream:
    """Masks secrets in a streamed text: a suffix that may continue as a secret waits for the next piece.

    That is a part of the last word, so the output is at most one word behind.
    """

    def __init__(self, mask: Callable[[], Mask] | None = None) -> None:
        """`mask` is called for each piece: a credential may be used only after the stream was created."""
        self._mask = mask or known
        self._held = ""

    def feed(self, piece: str) -> str:
        """Return what can be shown now."""
        mask = self._mask()
        if mask.is_empty:
            return piece
        text = self._held + piece
        end = len(text.rstrip(_VISIBLE))  # secrets contain no spaces: only the last word can continue
        if len(text) - end >= _SHORTEST_PART:
            start = end
            end = len(text) - mask.may_go_on(text[start:])
            end = min([end, *(first for first, stop in mask.spans(text) if first < end < stop)])
        self._held = text[end:]
        return mask.hide(text[:end])

    def rest(self) -> str:
        """Return what was held back; the next piece starts a new text."""
        text, self._held = self._mask().hide(self._held), ""
        return text


def _in_html(text: str) -> str:
    """As `html.escape`, whose module loads a table of all named characters."""
    for character, name in (("&", "amp"), ("<", "lt"), (">", "gt"), ('"', "quot"), ("'", "#x27")):
        text = text.replace(character, f"&{name};")
    return text


def _spellings(secret: str, public: int) -> Iterator[_Spelling]:
    quoted, escaped = quote(secret, safe=""), json.dumps(secret)[1:-1]
    others = {quoted, quote(quoted, safe=""), escaped, escaped.replace("/", "\\/"), _in_html(secret)}
    for text in (secret, *sorted(others - {secret})):  # none changes what is public
        yield _spelling(text, _SHORTEST_PART, public, may_be_words=True)
    core = secret[public:]
    for offset in range(3):  # what precedes it shifts its bits
        encoded = b64encode(b"\0" * offset + core.encode()).decode().rstrip("=")
        # The characters at both ends contain bits of the surrounding text.
        inner = encoded[(0, 2, 3)[offset] : len(encoded) - ((offset + len(core)) % 3 != 0)]
        yield _spelling(inner, _SHORTEST_BASE64)
    yield _spelling(core.encode().hex(), 2 * _SHORTEST_PART, step=_HEX_STEP)
    if len(core) <= _LONGEST_SPELT_OUT:
        yield _spelling("".join(f"\\u{ord(c):04x}" for c in core), 6 * _SHORTEST_PART)
        yield _spelling("".join(f"%{ord(c):02x}" for c in core), 3 * _SHORTEST_PART)


def _spelling(
    text: str, shortest: int, public: int = 0, *, step: int = 1, may_be_words: bool = False
) -> _Spelling:
    return _Spelling(text, max(_WINDOW, min(shortest, len(text) - public)), public, step, may_be_words)


def _folded(text: str) -> str:
    """Return the text in the form that is compared: case and the variant of base64 are ignored."""
    return text.lower().replace("+", "-").replace("/", "_")


def _parts_of(spelling: _Spelling) -> dict[str, bool]:
    """Return the shortest significant parts, folded, each with whether it tells more than ordinary words."""
    text, length, parts = spelling.text, spelling.shortest, dict[str, bool]()
    for at in range(spelling.public, len(text) - length + 1):
        part = text[at : at + length]
        folded = _folded(part)
        parts[folded] = parts.get(folded, False) or not (spelling.may_be_words and _is_plain(part))
    return parts


def _found(run: str, spelling: _Spelling, parts: Mapping[str, bool]) -> Iterator[tuple[int, int]]:
    """Yield where `run` has parts of the secret, each as long as it goes on, with the public prefix before it."""
    length = spelling.shortest
    at, last = 0, len(run) - length
    while at <= last:
        tells = parts.get(run[at : at + length])
        if tells is None:
            at += 1
            continue
        first = at
        while at < last and (more := parts.get(run[at + 1 : at + 1 + length])) is not None:
            at, tells = at + 1, tells or more
        stop = at + length
        if tells or stop - first >= _PLAIN_WORDS:
            yield first - _public_before(run, first, spelling), stop
        at += 1


def _public_before(run: str, at: int, spelling: _Spelling) -> int:
    """Return how many characters before `at` are the end of the public prefix, if the secret's own part begins."""
    low, public = _folded(spelling.text), spelling.public
    if not public or not run.startswith(low[public : public + spelling.shortest], at):
        return 0
    before = 0
    while before < min(at, public) and run[at - before - 1] == low[public - before - 1]:
        before += 1
    return before


def _is_plain(part: str) -> bool:
    """True for ordinary words that happen to be part of a secret; mixed case, for example, is not ordinary."""
    if len(part) >= _PLAIN_WORDS:
        return False
    letters = "".join(filter(str.isalpha, part))
    return not letters or (not any(map(str.isdigit, part)) and _is_word(letters))


def _is_word(text: str) -> bool:
    return text.isalpha() and (text.islower() or text.istitle() or text.isupper())


def _apart(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


_current: tuple[int, Mask] = (0, Mask())


def known() -> Mask:
    """Return the mask of the secrets that this process has revealed and still remembers."""
    global _current  # noqa: PLW0603 - a cache of what `auth.secret` knows
    seen, mask = _current
    if seen != (now := generation()):
        secrets = revealed()
        if not mask.knows_only(secrets):  # some secrets were dropped
            mask = Mask()
        for secret in secrets:
            mask.add(secret)
        _current = (now, mask)
    return mask


def hide(text: str) -> str:
    """Mask in an answer every credential that this process has used."""
    return known().hide(text)


def hide_in_value(value: JsonValue) -> JsonValue:
    """Return the value with every credential masked in its texts and keys."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, list):
        return [hide_in_value(one) for one in value]
    if isinstance(value, dict):
        return {hide(key): hide_in_value(one) for key, one in value.items()}
    return value


def hide_in_error(text: str) -> str:
    """Mask in an error's text everything that this process has used as a credential."""
    return known().hide_in_error(text)
