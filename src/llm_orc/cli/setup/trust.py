"""`llm-orc trust`: let a project's files set what otherwise only the user may."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.output.streams import columns, note, write_data
from llm_orc.cli.shell.output.tables import Column, table
from llm_orc.cli.shell.prompts import agreed
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.formats.figures import count

if TYPE_CHECKING:
    from llm_orc.app.projects.trust import TrustView
    from llm_orc.app.wiring import App
    from llm_orc.jsontypes import JsonValue


@define_command()
@click.argument("place", metavar="[DIRECTORY|FILE]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--list",
    "list_trusted",
    is_flag=True,
    help="List the directories that you trust, and the ensembles whose bills you agreed to for good.",
)
@click.option(
    "--forget",
    is_flag=True,
    help="Withdraw the trust, and each yes for good to bills of the file or of those in the directory.",
)
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document: the state after the command.")
def command(*, place: Path | None, list_trusted: bool, forget: bool, yes: bool, as_json: bool) -> None:
    """Trust DIRECTORY's `.llm-orc` files, or one ensemble's FILE.  [default: the project that you are in]

    Until then nothing in them is your consent to pay, and they set no endpoint, no source of credentials, no
    higher limit and nothing about your run record: a repository that you only cloned might spend your money or
    send your key elsewhere. The command shows all of these values and asks. When one of them changes, trust has to
    be given again.

    \b
    llm-orc trust
    llm-orc trust --list
    llm-orc trust ~/work/panel --forget
    llm-orc trust ./panels/deal.yaml
    """
    from llm_orc.app.projects.trust import trust_directory, view_trust
    from llm_orc.cli.shell.consent import show_trust

    app = app_here()
    if list_trusted:
        _list(app, as_json=as_json)
        return
    where = app.environment.cwd / (place or ".")
    if not where.exists() and not forget:
        raise UsageMistake(f"`{where}` does not exist", hint="Name a project's directory, or an ensemble's file.")
    if forget:
        _forget(app, where)
        return
    view = view_trust(app, where)
    if view.trusted:
        note(f"{view.root} is already trusted.")
    else:
        show_trust(view)
        if agreed(f"Trust {view.root}?", yes=yes):
            view = trust_directory(app, where, view)
            note(f"Trusted. Withdraw it with: llm-orc trust {view.root} --forget")
    if as_json:
        write_json(_value(view))


def _forget(app: App, where: Path) -> None:
    from llm_orc.app.access.bills.agreements import forget
    from llm_orc.app.projects.trust import distrust_directory

    agreements = forget(app, where)
    if agreements:
        of = "" if where.is_file() else f" of {count(agreements, 'ensemble')}"
        note(f"{where}: bills{of} are asked for again.")
        if where.is_file():  # the trust in its project is another matter
            return
    if distrust_directory(app, where):
        note(f"{where} is no longer trusted.")
    elif not agreements:
        note(f"{where} was not trusted.")


def _list(app: App, *, as_json: bool) -> None:
    from llm_orc.app.access.bills.agreements import agreements
    from llm_orc.app.projects.trust import trusted_directories

    trusted, agreed = trusted_directories(app), agreements(app)
    if as_json:
        write_json(
            {
                "directories": [str(root) for root in trusted],
                "bills": [
                    {"file": str(one.file), "agreed": [bill._asdict() for bill in one.bills]} for one in agreed
                ],
            }
        )
        return
    if trusted:
        write_data(table([Column("DIRECTORY")], [(str(root),) for root in trusted], columns(sys.stdout)))
    else:
        note("You trust no directory yet. To trust a project, run there: llm-orc trust")
    if agreed:
        heading = [
            Column("ENSEMBLE THAT MAY BILL", shrinks=True),
            Column("MODEL"),
            Column("CREDENTIAL", shrinks=True),
        ]
        rows = [
            (str(one.file), f"{bill.provider} {bill.model}", bill.source) for one in agreed for bill in one.bills
        ]
        write_data(table(heading, rows, columns(sys.stdout)))


def _value(view: TrustView) -> JsonValue:
    return {
        "directory": str(view.root),
        "trusted": view.trusted,
        "guarded": [{"key": g.key, "value": g.value, "origin": str(g.origin)} for g in view.guarded],
    }
