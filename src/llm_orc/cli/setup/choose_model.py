"""Choose the model of an access, from the list that its provider gives: its default comes first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from llm_orc.app.setup.model_offers import offers
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
_TYPED = "Another: type its name"


def choose_model(route: Route) -> Route | None:
    """Return the access with the model that the person chooses; None: they go back.

    Nothing is asked where there is only one.
    """
    note(f"Asking `{route.provider}` for its models…")
    [offer] = run_to_end(offers(app_here(), route.provider))
    if offer.error is not None:
        write_error(offer.error)
        note("So its models can't be shown.")
    if offer.note:
        note(f"`{route.provider}`: {offer.note}.")
    default = route.model or offer.default
    models = [one for one in offer.models if one.model != default]
    if offer.error is None and not offer.note and not models:
        return route
    return _asked(route, default, models)


def _asked(route: Route, default: str | None, models: Sequence[OfferedModel]) -> Route | None:
    """Show a menu: the default, the others (of many: those that match what is typed), and a name of one's own."""
    is_own = route.spec.cli is not None and default is None  # a program has a default of its own
    first = [f"{default} · the default"] if default else ["Its own default"] if is_own else []
    fits = len(models) <= _MOST
    listed = [*map(_title, models)] if fits else [f"Another of its {len(models)} models: search"]
    options = [*first, *listed, _TYPED, _BACK]
    while True:
        number = select("Which model?", options)
        if options[number] == _BACK:
            return None
        if number < len(first):
            return _with(route, default)
        if options[number] == _TYPED:
            model = click.prompt("Name of the model", default="", show_default=False, err=True).strip()
        elif fits:
            model = models[number - len(first)].model
        else:
            model = _searched(models)
        if model:
            return _with(route, model)


def _with(route: Route, model: str | None) -> Route:
    return replace(route, choice=replace(route.choice, model=model))


def _searched(models: Sequence[OfferedModel]) -> str:
    """Ask for a part of the id or name until few enough have it; empty: the person goes back."""
    shown = models
    while len(shown) > _MOST:
        part = click.prompt(f"{len(shown)} models. A part of the name", default="", show_default=False, err=True)
        if not part.strip():
            return ""
        matching = [one for one in models if part.strip().lower() in f"{one.model} {one.name}".lower()]
        exact = [one for one in matching if one.model == part.strip()]
        if not matching:
            note(f"None has `{part.strip()}` in its id or name.")
        shown = exact or matching or models
    number = select("Which model?", [*map(_title, shown), _BACK])
    return shown[number].model if number < len(shown) else ""


def _title(model: OfferedModel) -> str:
    name = f" · {model.name}" if model.name else ""
    price = ""
    if model.input_usd and model.output_usd:
        price = f" · ${model.input_usd:g} in, ${model.output_usd:g} out per million tokens"
    return f"{model.model}{name}{price}"
