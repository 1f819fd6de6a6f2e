"""The position of an agent in a run: the agents above it, the item or round if there are several, and its name.

A path is its text, `panel/review[3]/judge`, so that it can be used directly as a key, a column and a label: an
agent of the ensemble itself has its bare name. Names in files contain neither `/` nor `[`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

AgentPath = NewType("AgentPath", str)

_RESERVED = frozenset("/[]")
_NUMBERS = re.compile(r"\[\d+\]")
_STEP = re.compile(r"[^/\[\]]+(?:\[\d+\])*")


def path_of(*steps: str) -> AgentPath:
    """Return the path of these steps, the outermost first: `path_of("panel", "review[3]", "judge")`."""
    return AgentPath("/".join(steps))


def parse_path(text: str) -> AgentPath:
    """Parse `text` as a path. Raises `ValueError` if it is none."""
    if not all(_STEP.fullmatch(step) for step in text.split("/")):
        raise ValueError(f"`{text}` is not the path of an agent")
    return AgentPath(text)


def can_be_step(name: str) -> bool:
    """Return whether a path with this name in it can be taken apart again."""
    return _RESERVED.isdisjoint(name)


def steps_of(path: AgentPath) -> tuple[str, ...]:
    """Return the steps, the outermost first."""
    return tuple(path.split("/"))


def child_of(path: AgentPath, name: str) -> AgentPath:
    """Return the path of the agent `name` that runs within the one at `path`."""
    return AgentPath(f"{path}/{name}")


def item_of(path: AgentPath, number: int) -> AgentPath:
    """Return the path of one item, or one round, of the agent at `path`."""
    return AgentPath(f"{path}[{number}]")


def list_of(path: str) -> str:
    """Return the path of the agent that the path is an item or round of; empty: it is none itself."""
    return path[: path.rindex("[")] if path.endswith("]") else ""


def is_of_item(path: str, lists: Container[str]) -> bool:
    """Return whether it is an item of one of the agents in `lists`, or within such an item."""
    start = path.find("[")
    while start >= 0:
        if path[:start] in lists:
            return True
        start = path.find("[", start + 1)
    return False


def model_key(path: AgentPath, number: int = 0) -> str:
    """Return what the models of an agent are kept under: its place in the plan, and the number of further ones.

    All items and rounds of an agent ask the same models.
    """
    place = _NUMBERS.sub("", path) if "[" in path else path
    return f"{place}#{number + 1}" if number else place


def is_within(path: str, other: AgentPath) -> bool:
    """Return whether `path` is below `other`: one of its items, or of the agents that run within it."""
    return path.startswith((f"{other}/", f"{other}["))


def above(path: str) -> Iterator[str]:
    """Yield the paths of the items and agents around it, the outermost first."""
    for i, letter in enumerate(path):
        if letter in "/[" and i:
            yield path[:i]


def split_step(step: str) -> tuple[str, str]:
    """Return the name in a step of a path, and the numbers after it: `("review", "[3]")`."""
    name, bracket, rest = step.partition("[")
    return name, bracket + rest


def whole_of(path: AgentPath) -> AgentPath:
    """Return the path of the agent's whole turn, of which the path may be an item, a sample or a round."""
    while path.endswith("]"):
        path = AgentPath(path[: path.rindex("[")])
    return path


def in_tree_order(paths: Iterable[str]) -> list[str]:
    """Return the paths with each agent's right after it; siblings, items and rounds keep their order."""
    below: dict[str, list[str]] = {}
    known = dict.fromkeys(paths)
    for path in known:
        around = _around(path)
        while around and around not in known:
            around = _around(around)
        below.setdefault(around, []).append(path)
    ordered: list[str] = []
    left = below.get("", [])[::-1]
    while left:
        path = left.pop()
        ordered.append(path)
        left += below.get(path, [])[::-1]
    return ordered


def _around(path: str) -> str:
    """Return the path of the item or agent around it; empty: it is one of the ensemble's own."""
    return path[: max(path.rfind("/"), path.rfind("["), 0)]


def top_of(path: str) -> str:
    """Return the name of the ensemble's own agent that the path is, or is within."""
    return path.partition("/")[0].partition("[")[0]


def is_top(path: str) -> bool:
    """Return whether it is an agent of the ensemble itself."""
    return "/" not in path and "[" not in path
