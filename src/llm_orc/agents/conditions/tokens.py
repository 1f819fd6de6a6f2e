"""Cut a condition into tokens."""

from __future__ import annotations

import json
import re
from typing import Literal

from llm_orc.agents.conditions.syntax import BadCondition
from llm_orc.agents.references.syntax import BadReference, Reference, read_reference
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue

Kind = Literal["reference", "constant", "word", "operator", "end"]
_LARGEST = 2**63 - 1  # CEL's integers have 64 bits
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    | (?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<operator>==|!=|<=|>=|&&|\|\||[<>!()\[\],-])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
_HINTS = {
    "=": "Equality is written `==`.",
    "&": "Both is written `&&`.",
    "|": "Either is written `||`.",
    ".": "A reference is written `${NAME.field}`.",
    "$": "A reference is written `${NAME.field}`.",
    "'": "A quote is not closed.",
    '"': "A quote is not closed.",
}
_NO_MORE = (
    "A condition compares values: `== != < <= > >= in`, with `&& || !`, `size()` and `has()`. Nothing is computed."
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    start: int
    end: int
    value: JsonValue = None
    reference: Reference | None = None


def tokens_of(text: str) -> list[Token]:
    """Return the tokens; the last is the end. Raises `BadCondition`."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        if text.startswith("${", at):
            token = _reference(text, at)
        else:
            match = _TOKEN.match(text, at)
            if match is None:
                sign = text[at]
                raise BadCondition(f"`{sign}` can't stand in a condition", at, at + 1, _HINTS.get(sign, _NO_MORE))
            at = match.end()
            if match.lastgroup == "space":
                continue
            token = _token(match)
        found.append(token)
        at = token.end
    return [*found, Token("end", "", len(text), len(text))]


def _reference(text: str, at: int) -> Token:
    try:
        reference = read_reference(text, at)
    except BadReference as e:
        raise BadCondition(e.message, e.start, e.end, e.hint) from None
    return Token("reference", str(reference), at, reference.end, reference=reference)


def _token(match: re.Match[str]) -> Token:
    text, start, end = match[0], match.start(), match.end()
    match match.lastgroup:
        case "number":
            return Token("constant", text, start, end, _number(text, start, end))
        case "string":
            return Token("constant", text, start, end, _string(text, start, end))
        case "word" if text in {"true", "false", "null"}:
            return Token("constant", text, start, end, {"true": True, "false": False}.get(text))
        case "word":
            return Token("word", text, start, end)
        case _:
            return Token("operator", text, start, end)


def _number(text: str, start: int, end: int) -> JsonValue:
    value: int | float = float(text) if re.search("[.eE]", text) else int(text[:40])
    if isinstance(value, int) and (value > _LARGEST or len(text) > 40):
        raise BadCondition(f"`{text[:40]}` is too large for a whole number", start, end, "Write `1e30`.")
    if value == float("inf"):
        raise BadCondition(f"`{text[:40]}` is too large for a number", start, end)
    return value


def _string(text: str, start: int, end: int) -> str:
    def unescaped(match: re.Match[str]) -> str:
        if len(match[1]) == 5:
            character: str = json.loads(f'"{match[0]}"')
            return character
        if match[1] not in _ESCAPED:
            at = start + 1 + match.start()
            raise BadCondition(f"`{match[0]}` is no escape", at, at + 2, "A backslash is written `\\\\`.")
        return _ESCAPED[match[1]]

    value = _ESCAPE.sub(unescaped, text[1:-1])
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise BadCondition("a text with half a character", start, end)
    return value
