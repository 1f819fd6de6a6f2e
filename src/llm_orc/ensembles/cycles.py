"""Find cycles of dependencies, in time linear in agents and dependencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def find_cycles(waits_for: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Return disjoint cycles, at least one for each strongly connected component.

    Each starts with its first agent in the order of `waits_for`, and ends with it again.
    """
    order = {name: i for i, name in enumerate(waits_for)}
    cycles: list[tuple[str, ...]] = []
    reported: set[str] = set()
    done: set[str] = set()
    for root in waits_for:
        if root in done:
            continue
        way: dict[str, int] = {root: 0}  # the agents from `root` to here
        open_: list[Iterator[str]] = [iter(waits_for[root])]
        while open_:
            following = next((n for n in open_[-1] if n in order and n not in done), None)
            if following is None:
                open_.pop()
                done.add(way.popitem()[0])
            elif following not in way:
                way[following] = len(way)
                open_.append(iter(waits_for[following]))
            elif following not in reported and next(reversed(way)) not in reported:
                names = list(way)[way[following] :]
                if reported.isdisjoint(names):
                    reported.update(names)
                    first = names.index(min(names, key=order.__getitem__))
                    cycles.append((*names[first:], *names[: first + 1]))
    return sorted(cycles, key=lambda cycle: order[cycle[0]])
