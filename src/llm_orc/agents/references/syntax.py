"""Take a text apart: `${…}` is a reference, `$${` a literal `${`, and nothing else is special."""

from __future__ import annotations

import re
from functools import lru_cache

from llm_orc.dataclass import dataclass

ONE_REFERENCE = r"^\s*\$\{[^{}\[\]\n]*[^{}\[\]\s.][^{}\[\]\n]*\}\s*$"
"""What a text that is one reference looks like, for the schemas that editors read; `is_reference` decides."""
_OPENING = re.compile(r"(\$+)\{")
_LONGEST = 400  # characters of a reference; a longer one is text that nobody closed
LITERAL = "A literal `${` is written `$${`."


class BadReference(ValueError):
    """The text has a `${` that begins no reference. `start` and `end` are its place in the text."""

    def __init__(self, message: str, start: int, end: int, hint: str = LITERAL) -> None:
        super().__init__(message)
        self.message, self.start, self.end, self.hint = message, start, end, hint


@dataclass(frozen=True, slots=True)
class Reference:
    """`${words.with.dots}`. `start` and `end` are its place in the text that it stands in."""

    name: str  # what stands between the braces, without spaces around it
    start: int = 0
    end: int = 0

    @property
    def words(self) -> list[str]:
        return self.name.split(".")

    def __str__(self) -> str:
        return f"${{{self.name}}}"


@dataclass(frozen=True, slots=True)
class Template:
    """A text with references: pieces of literal text, and references between them."""

    pieces: tuple[str | Reference, ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, Reference))


@lru_cache(maxsize=4096)
def parse_template(text: str) -> Template:
    """Take `text` apart. Raises `BadReference`."""
    pieces: list[str | Reference] = []
    at = 0
    while (opening := _OPENING.search(text, at)) is not None:
        start, inside = opening.end() - 2, opening.end()
        if len(opening[1]) > 1:
            pieces.append(text[at : start - 1] + "${")
            at = inside
            continue
        pieces.append(text[at:start])
        reference = read_reference(text, start)
        pieces.append(reference)
        at = reference.end
    pieces.append(text[at:])
    return Template(tuple(piece for piece in pieces if piece != ""))


def read_reference(text: str, start: int) -> Reference:
    """Read the reference whose `$` is at `start`. Raises `BadReference`."""
    inside = start + 2
    end = text.find("}", inside, inside + _LONGEST)
    written = text[inside:end]
    name = written.strip()
    if end < 0 or "{" in written or "\n" in written:
        raise BadReference("`${` begins a reference that is never closed", start, inside)
    end += 1
    if not name:
        raise BadReference("`${}` names nothing", start, end)
    if any(not word.strip() for word in name.split(".")):
        raise BadReference(f"`${{{name}}}` has an empty word between its dots", start, end)
    if "[" in name or "]" in name:
        raise BadReference(
            f"`${{{name}}}` has brackets", start, end, f"An item of a list is a number after a dot. {LITERAL}"
        )
    return Reference(name, start, end)


def is_special(text: str) -> bool:
    """Return whether the text differs from what it is filled in to: it has a `${`."""
    return "${" in text


def is_reference(text: str) -> bool:
    """Return whether the text is one reference and nothing else; what is wrong with it is said at its place."""
    try:
        template = parse_template(text.strip())
    except BadReference:
        return is_special(text)
    return len(template.pieces) == 1 and bool(template.references)


def literal(text: str) -> str:
    """Return the text such that it is filled in to what it is now."""
    return _OPENING.sub(lambda match: f"${match[0]}", text)
