"""Which of a provider's routes a run may take, in order. The source of a route doesn't matter here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from llm_orc.app.access.route import Route
    from llm_orc.catalog.rows import ProviderSpec


def stepping_in(routes: Sequence[Route], *, is_plan: bool = False) -> Iterator[Route]:
    """Yield the first route, and those that may replace it if it can't be used.

    A route that was set up is replaced only by one that costs nothing per call, or less. One that was only found
    is replaced by the next one, unless that may cost more. The official CLI of a plan may replace a sign-in.
    """
    taken: list[Route] = []
    for route in routes:
        is_no_worse = all(_is_no_worse(route, before) for before in taken)
        is_beside = is_plan and route.place == "program"
        if not taken or is_beside or (is_no_worse and not any(w.may_be_taken for w in taken)):
            taken.append(route)
    yield from taken


def _is_no_worse(route: Route, before: Route) -> bool:
    if not route.billing.may_cost or route.billing.expense < before.billing.expense:
        return True
    return route.billing is before.billing and not before.is_set_up


def marked(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Mark the route that a run uses: the first one that it may take."""
    marked: list[Route] = []
    is_found = False
    for route in routes:
        is_used = route.may_be_taken and not is_found
        is_found = is_found or is_used
        marked.append(replace(route, is_used=is_used) if is_used else route)
    return tuple(marked)


def barred(
    others: Iterable[Route], taken: Sequence[Route], spec: ProviderSpec, names: Collection[str]
) -> Iterator[Route]:
    """Yield the routes that no run takes, each with the reason. `names` are the named auth methods, if any."""
    first = next((route for route in taken if route.may_be_taken), taken[0] if taken else None)
    for route in others:
        entry = route.found.entry if route.found is not None else None
        if spec.credential == "none" and spec.cli is None:
            bar = "this provider needs no credential"
        elif spec.cli is not None and route.method == "api-key":
            bar = f"a plan pays for `{spec.name}`: it has no keys of its own"
        elif names and route.method is not None and route.method not in names:
            bar = "`auth_method` does not name it"
        elif not route.is_active and entry is not None:
            switch = f"llm-orc auth switch {entry.provider} {entry.account}"
            bar = f"another account is active; to change it: {switch}"
        elif first is not None and first.may_be_taken:
            bar = f"{first.name} takes precedence"
        elif first is not None and first.is_set_up:
            bar = f"{first.name} takes precedence; what was only found does not replace what you set up"
        elif first is not None:
            bar = f"{first.name} takes precedence, and nothing that costs more replaces it without your consent"
        else:
            bar = "no run uses it"
        yield replace(route, bar=bar)
