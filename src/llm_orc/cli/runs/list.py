"""`llm-orc runs list`: the recorded runs, the newest first."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

import click

from llm_orc.app.approvals.commands import answer_commands, asks_value
from llm_orc.app.history.runs import LISTED_STATUSES, RunsWanted, count_runs, list_runs
from llm_orc.cli.shell.arguments import EnsembleName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.listings import (
    conditions,
    for_terminal,
    note_more,
    note_none_found,
    write_table,
)
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.output.tables import Column
from llm_orc.cli.shell.values.moments import since_option
from llm_orc.cli.shell.values.words import Words, chosen_of
from llm_orc.formats.figures import age, count, end_of_id, known_dollars, moment, seconds, until_words
from llm_orc.formats.printable import first_words, one_line
from llm_orc.runs.filter import RUN_KINDS

if TYPE_CHECKING:
    from llm_orc.app.history.runs import ListedStatus, RunSummary
    from llm_orc.app.wiring import App
    from llm_orc.jsontypes import JsonValue
    from llm_orc.runs.filter import RunKind

_ALL = "all"
_ASKING = 5  # questions that are shown


@define_command()
@click.option(
    "--ensemble", metavar="NAME", type=EnsembleName(), help="Only runs of this ensemble, e.g. `--ensemble panel`."
)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=Words(LISTED_STATUSES),
    metavar="STATUS",
    help=f"Only runs with this status: {', '.join(LISTED_STATUSES)}; may be repeated, or `failed,interrupted`.",
)
@since_option
@click.option(
    "--kind",
    type=click.Choice([*RUN_KINDS, _ALL]),
    help="Runs that somebody started, turns of chats, requests to `llm-orc serve`, or all."
    "  [default: ensemble; with `--status waiting`, all]",
)
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True, metavar="N", help="At most N.")
@click.option("--all", "show_all", is_flag=True, help="All of them, whatever --limit says.")
@json_option
def command(
    *,
    ensemble: str | None,
    statuses: tuple[tuple[str, ...], ...],
    since: float | None,
    kind: str | None,
    limit: int,
    show_all: bool,
    as_json: bool,
) -> None:
    """List runs, the newest first.

    \b
    llm-orc runs list --status failed,interrupted --since 2d
    """
    app = app_here()
    asked = cast("tuple[ListedStatus, ...]", chosen_of(statuses))
    if kind is None:
        kind = _ALL if "waiting" in asked else "ensemble"
    wanted = RunsWanted(None if kind == _ALL else cast("RunKind", kind), ensemble, asked, since)
    runs = list_runs(app, wanted, limit=None if show_all else limit)
    if as_json:
        write_json([_summary_value(run) for run in runs])
    elif not runs:
        _say_nothing_found(app, wanted)
    else:
        _write(runs, with_kind=kind == _ALL)
        _note_asking(runs)
        if not show_all and len(runs) == limit:
            all_of_them = len(list_runs(app, wanted, limit=None)) if wanted.statuses else count_runs(app, wanted)
            note_more(limit, all_of_them)


def _say_nothing_found(app: App, wanted: RunsWanted) -> None:
    filters = conditions(wanted.ensemble, wanted.statuses, wanted.since)
    of_kind = count_runs(app, RunsWanted(wanted.kind))
    is_usual = wanted.kind == "ensemble"
    turns = count_runs(app, RunsWanted("chat")) if is_usual else 0
    served = count_runs(app, RunsWanted("served")) if is_usual else 0
    if filters:
        kind = "" if wanted.kind == "ensemble" else f" --kind {wanted.kind or _ALL}"
        note_none_found("run", filters, of_kind, f"llm-orc runs list{kind}")
    elif wanted.kind == "chat":
        note("There are no turns of chats yet. Start a chat with: llm-orc chat")
    elif wanted.kind == "served":
        note("No client has asked for anything yet. Begin with: llm-orc serve")
    elif not turns and not served:
        note("There are no runs yet. Start one with: llm-orc invoke ENSEMBLE, or: llm-orc demo")
    else:
        note("There are no runs of ensembles yet. Start one with: llm-orc invoke ENSEMBLE")
    if turns and not of_kind:
        note(f"{count(turns, 'turn')} of chats: llm-orc runs list --kind chat")
    if served and not of_kind:
        note(f"{count(served, 'request')} to a server: llm-orc runs list --kind served")


def _write(runs: tuple[RunSummary, ...], *, with_kind: bool) -> None:
    heading = [
        Column("RUN", brief=end_of_id),
        Column("ENSEMBLE", shrinks=True),
        Column("STATUS"),
        Column("AGENTS", is_number=True, leaves=2),
        Column("STARTED"),
        Column("TIME", is_number=True, leaves=1),
        Column("COST", is_number=True, leaves=3, brief=lambda cost: cost.removeprefix("cost ")),
        *([Column("KIND")] if with_kind else []),
    ]
    is_read, now = for_terminal(), time.time()
    rows = [
        (
            run.run_id,
            run.ensemble,
            _status(run, now, is_brief=is_read),
            f"{run.finished}/{run.agents}",
            age(run.started_at, now) if is_read else moment(run.started_at),
            "" if run.duration_s is None else seconds(run.duration_s),
            known_dollars(run.cost_usd, run.known_cost_usd),
            *([run.kind] if with_kind else []),
        )
        for run in runs
    ]
    write_table(heading, rows)


def _note_asking(runs: tuple[RunSummary, ...]) -> None:
    """Say how to answer what the newest runs ask."""
    asking = [(run, asked) for run in runs for asked in run.asks]
    for run, asked in asking[:_ASKING]:
        note(f"{run.run_id} {one_line(asked.agent)}: {first_words(asked.message)}")
        note("  " + "   or: ".join(answer_commands(run.run_id, asked, names_agent=len(run.asks) > 1)))


def _status(run: RunSummary, now: float, *, is_brief: bool) -> str:
    waits, until = "", run.waits_until
    if until is not None:
        waits = f", waits {seconds(until - now)}" if is_brief and until > now else f", {until_words(until, now)}"
    return run.status + waits + (" (sandbox)" if run.sandbox else "")


def _summary_value(run: RunSummary) -> JsonValue:
    return {
        "run_id": run.run_id,
        "kind": run.kind,
        "ensemble": run.ensemble,
        "status": run.status,
        "started_at": moment(run.started_at),
        "duration_s": run.duration_s,
        "agents": run.agents,
        "finished": run.finished,
        "cost_usd": run.cost_usd,
        "known_cost_usd": run.known_cost_usd,
        "unknown_costs": run.unknown_costs,
        "sandbox": run.sandbox,
        "asks": asks_value(run.run_id, run.asks),
        "waits_until": None if run.waits_until is None else moment(run.waits_until),
    }
