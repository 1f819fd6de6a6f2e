"""Choose another model of an access than its default, from the list that its provider gives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from llm_orc.app.setup.model_offers import offers
from llm_orc.cli.shell.access_lines import WHO_PAYS
from llm_orc.cli.shell.exits import write_error
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.prompts import select
from llm_orc.net.event_loop import run_to_end

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.app.access.route import Route
    from llm_orc.app.setup.model_offers import OfferedModel

_MOST = 15  # in one menu
_BACK = "Back"


def choose_model(found: Sequence[Route]) -> Route | None:
    """Return the access with the chosen model; None if the person goes back, or there is no list."""
    known = [one for one in found if one.choice.base_url is None]  # another has no address in the settings yet
    options = [*(f"{one.provider} · {WHO_PAYS[one.billing]}" for one in known), _BACK]
    number = 0 if len(known) == 1 else select("A model of which one?", options)
    if number >= len(known):
        return None
    route = known[number]
    note(f"Asking `{route.provider}` for its models…")
    [offer] = run_to_end(offers(app_here(), route.provider))
    if offer.error is not None:
        write_error(offer.error)
        return None
    if offer.note:
        note(f"`{route.provider}`: {offer.note}.")
    model = _chosen(offer.models) if offer.models else None
    return None if model is None else replace(route, choice=replace(route.choice, model=model.model))


def _chosen(models: Sequence[OfferedModel]) -> OfferedModel | None:
    """Show a menu of the models; of many, those that have what the person types in their id or name."""
    shown = models
    while len(shown) > _MOST:
        part = click.prompt(f"{len(shown)} models. A part of the name", default="", show_default=False, err=True)
        if not part.strip():
            return None
        matching = [one for one in models if part.strip().lower() in f"{one.model} {one.name}".lower()]
        exact = [one for one in matching if one.model == part.strip()]
        if not matching:
            note(f"None has `{part.strip()}` in its id or name.")
        shown = exact or matching or models
    options = [*(f"{one.model}{f' · {one.name}' if one.name else ''}" for one in shown), _BACK]
    number = select("Which model?", options)
    return shown[number] if number < len(shown) else None
