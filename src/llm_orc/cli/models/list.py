"""`llm-orc models list`: what each access offers, as its provider says now."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from llm_orc.auth.access import Billing
from llm_orc.cli.shell.access_lines import WHO_PAYS
from llm_orc.cli.shell.arguments import ProviderName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.exits import write_error
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import columns, note, write_data
from llm_orc.cli.shell.output.tables import Column, table
from llm_orc.errors import NotLoggedIn
from llm_orc.formats.figures import dollars
from llm_orc.formats.json_values import access_value, error_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.app.setup.model_offers import Offer, OfferedModel
    from llm_orc.jsontypes import JsonValue

_HEADING = (
    Column("PROVIDER"),
    Column("MODEL", shrinks=True),
    Column("NAME", shrinks=True),
    Column("IN", is_number=True),
    Column("OUT", is_number=True),
)


@define_command()
@click.argument("provider", required=False, type=ProviderName())
@click.option("--search", metavar="TEXT", help="Show only models with this in id or name, e.g. `mini`.")
@json_option
def command(*, provider: str | None, search: str | None, as_json: bool) -> int:
    """List the models of each access, or of PROVIDER's: those that its provider lists now.

    Providers are asked with the credentials that a run would use; that costs nothing. IN and OUT are the list
    prices of a million tokens in US dollars: `?` is unknown, and `plan` is paid by your plan. In a pipe, tabs
    separate the columns.

    \b
    llm-orc models list
    llm-orc models list openai --search mini
    """
    from llm_orc.app.setup.model_offers import offers
    from llm_orc.net.event_loop import run_to_end

    found = run_to_end(offers(app_here(), provider))
    if provider is not None and found[0].error is not None:
        raise found[0].error
    if not found:
        raise NotLoggedIn(
            "there is no access to any model on this machine yet",
            hint="`llm-orc setup` shows how to get access.",
        )
    shown = [(offer, _matching(offer, search)) for offer in found]
    if as_json:
        write_json([_value(offer, models) for offer, models in shown])
    else:
        _show(shown, search)
    errors = [offer.error for offer in found if offer.error is not None]
    return errors[0].exit_code if len(errors) == len(found) else 0


def _matching(offer: Offer, search: str | None) -> list[OfferedModel]:
    part = (search or "").lower()
    return [one for one in offer.models if part in one.model.lower() or part in one.name.lower()]


def _show(shown: Sequence[tuple[Offer, Sequence[OfferedModel]]], search: str | None) -> None:
    rows = [_row(offer, model) for offer, models in shown for model in models]
    if rows:
        write_data(table(_HEADING, rows, columns(sys.stdout)))
    elif search is not None and any(offer.models for offer, _ in shown):
        note(f"No model has `{search}` in its id or name.")
    for offer, _ in shown:
        if offer.error is not None:
            write_error(offer.error)
        elif offer.access is not None:
            default = f"; default: {offer.default}" if offer.default else ""
            aside = f". {offer.note.capitalize()}." if offer.note else ""
            note(f"{offer.provider}: {WHO_PAYS[offer.access.billing]} · {offer.access.source}{default}{aside}")


def _row(offer: Offer, model: OfferedModel) -> tuple[str, ...]:
    return (
        offer.provider,
        model.model,
        model.name,
        _price(offer, model.input_usd),
        _price(offer, model.output_usd),
    )


def _price(offer: Offer, usd: float | None) -> str:
    if usd is not None:
        return dollars(usd)
    is_plans = offer.access is not None and offer.access.billing is not Billing.METERED
    return "plan" if is_plans else "?"


def _value(offer: Offer, models: Sequence[OfferedModel]) -> JsonValue:
    return {
        "provider": offer.provider,
        "access": None if offer.access is None else access_value(offer.access),
        "default_model": offer.default,
        "models": [
            {
                "model": one.model,
                "name": one.name or None,
                "input_usd_per_million": one.input_usd,
                "output_usd_per_million": one.output_usd,
            }
            for one in models
        ],
        "note": offer.note or None,
        "error": None if offer.error is None else error_value(offer.error),
    }
