"""A secret string: it masks itself wherever Python might print, copy or pickle it."""

from __future__ import annotations

from typing import NoReturn, final

_KEPT = 32  # a long-running server keeps refreshing its tokens
_MOST = 2 * _KEPT  # many are forgotten at once: whoever searches for them starts anew each time
_revealed: dict[str, None] = {}  # newest last
_generation = 0


@final
class Secret:
    """Holds a secret; `reveal()` is called only where it is sent or stored."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, and remember it: from here on a server may repeat it (`auth.masking`)."""
        remember(self._text)
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled")


def remember(text: str) -> None:
    """Remember `text` as a secret to be masked in everything that comes from outside."""
    global _generation  # noqa: PLW0603 - cheap signal that there are more secrets
    if text not in _revealed:
        _revealed[text] = None
        if len(_revealed) > _MOST:
            for old in [*_revealed][:-_KEPT]:
                _revealed.pop(old, None)
        _generation += 1


def generation() -> int:
    """Return a number that changes when another secret is revealed."""
    return _generation


def revealed() -> tuple[str, ...]:
    """Return the secrets that have left their `Secret` in this process, newest last."""
    return tuple(_revealed)
