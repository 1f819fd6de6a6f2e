"""Patterns of file names, `src/**/*.{py,pyi}`: no pattern takes long, whatever is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MOST_BRACES = 64  # patterns that one with braces stands for
_ANY = "**"


def expand(pattern: str) -> tuple[str, ...]:
    """Return the patterns that one with braces stands for: `*.{py,pyi}` is `*.py` and `*.pyi`."""
    done: list[str] = []
    left = [pattern]
    while left:
        one = left.pop()
        start = one.rfind("{")
        end = one.find("}", start)
        if start < 0 or end < 0 or len(left) + len(done) >= _MOST_BRACES:
            done.append(one)
            continue
        left += [f"{one[:start]}{choice}{one[end + 1 :]}" for choice in one[start + 1 : end].split(",")]
    return tuple(done)


def matches(pattern: str, parts: Sequence[str]) -> bool:
    """Return whether the path matches: a pattern without `/` is compared with its last name, at any depth."""
    steps = [step for step in pattern.split("/") if step not in {"", "."}]
    if "/" not in pattern.strip("/") and not pattern.startswith("/"):
        return bool(steps) and bool(parts) and name_matches(steps[0], parts[-1])
    return _greedy(steps, parts, lambda step: step == _ANY, name_matches)


def name_matches(pattern: str, name: str) -> bool:
    """Return whether one name matches `*`, `?`, `[a-z]` and `[!a-z]`."""
    return _greedy(_pieces(pattern), name, lambda part: part == "*", _letter_matches)


def _greedy(
    pattern: Sequence[str], text: Sequence[str], is_star: Callable[[str], bool], fits: Callable[[str, str], bool]
) -> bool:
    """Match with only the last star to go back to: what an earlier one could take more of, that one can too."""
    at = place = 0
    star, star_place = -1, 0
    while place < len(text):
        if at < len(pattern) and is_star(pattern[at]):
            star, star_place, at = at, place, at + 1
        elif at < len(pattern) and fits(pattern[at], text[place]):
            at, place = at + 1, place + 1
        elif star >= 0:
            star_place += 1
            at, place = star + 1, star_place
        else:
            return False
    return all(is_star(rest) for rest in pattern[at:])


def _pieces(pattern: str) -> list[str]:
    pieces: list[str] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        end = at + 1
        if letter == "[":
            close = pattern.find("]", at + 3 if pattern[at + 1 : at + 2] in {"!", "^"} else at + 2)
            end = close + 1 if close > 0 else end
        elif letter == "\\" and end < len(pattern):
            end += 1
        piece = pattern[at:end]
        if piece != "*" or not pieces or pieces[-1] != "*":
            pieces.append(piece)
        at = end
    return pieces


def _letter_matches(piece: str, letter: str) -> bool:
    if piece == "?":
        return True
    if len(piece) > 2 and piece[0] == "[":
        inside = piece[1:-1]
        is_not = inside[0] in "!^"
        return _in_set(inside[1:] if is_not else inside, letter) != is_not
    return piece == letter or (len(piece) == 2 and piece[0] == "\\" and piece[1] == letter)


def _in_set(letters: str, letter: str) -> bool:
    at = 0
    while at < len(letters):
        if letters[at + 1 : at + 2] == "-" and at + 2 < len(letters):
            if letters[at] <= letter <= letters[at + 2]:
                return True
            at += 3
        else:
            if letters[at] == letter:
                return True
            at += 1
    return False
