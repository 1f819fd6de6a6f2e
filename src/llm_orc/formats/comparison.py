"""What differs between two runs, as text and as JSON. Prints nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llm_orc.formats.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.jsontypes import JsonValue

_LONGEST = 100


class Differs(Protocol):
    """One value on each side."""

    @property
    def what(self) -> str: ...
    @property
    def left(self) -> str | None: ...
    @property
    def right(self) -> str | None: ...


def difference_lines(differences: Sequence[Differs]) -> Iterator[str]:
    """Yield one line for each value that differs."""
    for one in differences:
        yield f"  {one.what}: {_short(one.left)} → {_short(one.right)}"


def _short(text: str | None) -> str:
    if text is None:
        return "none"
    line = one_line(text)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def difference_values(differences: Sequence[Differs]) -> list[JsonValue]:
    return [{"what": one.what, "a": one.left, "b": one.right} for one in differences]
