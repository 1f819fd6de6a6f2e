"""`llm-orc auth migrate`: copy keys found on this machine, and what earlier releases left, into the store."""

from __future__ import annotations

import sys
from dataclasses import replace
from shlex import quote
from typing import TYPE_CHECKING

import click

from llm_orc.cli.auth.arguments import auth_command
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.output.streams import columns, note, write_data
from llm_orc.cli.shell.output.tables import Column, table
from llm_orc.cli.shell.prompts import confirmed, person_is_here
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.dataclass import dataclass
from llm_orc.formats.figures import count
from llm_orc.formats.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llm_orc.app.migration.migrate import Found
    from llm_orc.app.migration.rollback import Change
    from llm_orc.app.projects.earlier_files import EarlierFile
    from llm_orc.app.wiring import App
    from llm_orc.jsontypes import JsonValue

_HEADING = (
    Column("PROVIDER"),
    Column("STATE"),
    Column("KEY"),
    Column("WHERE", shrinks=True),
    Column("WHY", shrinks=True),
)


@auth_command({1: "with --undo: something could not be put back"})
@click.option("--yes", is_flag=True, help="Copy without asking.  [default: ask in a terminal, else only show]")
@click.option(
    "--remove-old",
    is_flag=True,
    help="After copying, remove lines from `.env` files and move stores of earlier releases aside.",
)
@click.option("--dotenv", is_flag=True, help="With --yes: copy keys from this folder's `.env` files too.")
@click.option(
    "--replace",
    "replaced",
    metavar="PLACE",
    multiple=True,
    help="Replace the stored key with the one at PLACE, as the table names it, e.g. `--replace .env:2`.",
)
@click.option("--undo", is_flag=True, help="Restore what --remove-old removed.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document, without a secret. Asks nothing.")
def command(
    *, yes: bool, remove_old: bool, dotenv: bool, replaced: tuple[str, ...], undo: bool, as_json: bool
) -> int:
    """Show the API keys found on this machine and what would happen to each; copy them if you agree.

    It searches the environment, `.env` files in this directory, your shell's start-up files, and the stores,
    settings and ensembles of earlier releases of llm-orc. Sign-ins of other programs are not read. Values that are
    not plain text are reported and never guessed. Each copy is read back. Start-up files are never edited. A
    `.env` file may have come with a cloned folder: --yes alone leaves its keys alone.

    \b
    llm-orc auth migrate                         show; in a terminal, then ask
    llm-orc auth migrate --yes                   copy
    llm-orc auth migrate --yes --dotenv          copy those in `.env` files too
    llm-orc auth migrate --yes --remove-old      copy, then remove the old locations
    llm-orc auth migrate --yes --replace .env:2  replace the stored key with this one
    llm-orc auth migrate --undo --yes            restore the old locations
    """
    app = app_here()
    if undo:
        if remove_old or replaced:
            other = "--remove-old" if remove_old else "--replace"
            raise UsageMistake(f"--undo and {other} exclude each other", hint="Give only one.")
        return _undo(app, yes=yes, as_json=as_json)
    return _migrate(app, _Wanted(yes, remove_old, dotenv, replaced), as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the command line asks for."""

    yes: bool
    remove_old: bool
    dotenv: bool
    replaced: tuple[str, ...]


def _migrate(app: App, wanted: _Wanted, *, as_json: bool) -> int:
    from llm_orc.app.migration.migrate import billing_words, copy, look, replacing
    from llm_orc.app.migration.rollback import removable, take_away
    from llm_orc.app.projects.earlier_files import earlier_files

    yes, remove_old = wanted.yes, wanted.remove_old
    found, files = replacing(look(app), wanted.replaced, app.environment.cwd), earlier_files(app)
    if yes and not wanted.dotenv:
        found = tuple(
            _left_alone(one) if one.kind == "dotenv" and one.state == "copy" and not one.replaces else one
            for one in found
        )
    billing = billing_words(found)
    if not as_json:
        _show(found, files, billing)
    waiting = [one for one in found if one.state == "copy"]
    old = removable(app, found)
    copies = bool(waiting) and _agreed(f"Copy {_number(waiting)} into the store?", yes=yes, as_json=as_json)
    if copies:
        found = copy(app, found)
    changes: tuple[Change, ...] = ()
    if remove_old and old and (copies or not waiting):
        shown = "".join(f"\n  {one.where}" for one in old)
        if _agreed(f"Remove them? --undo restores them.{shown}\n", yes=yes, as_json=as_json):
            changes = take_away(app, found)
    if as_json:
        document = _value(found, files, billing, changes)
        write_json({"is_dry_run": not copies and not changes, **document, "notices": [*_notices(app)]})
    else:
        _say(app, found, waiting, changes, has_copied=copies, remove_old=remove_old)
    return 0


def _left_alone(one: Found) -> Found:
    """Another person's key in a cloned folder would show them what you ask, so it needs its own option."""
    return replace(
        one, state="left", why="a `.env` file may have come with the folder: if it is yours, add --dotenv"
    )


def _agreed(question: str, *, yes: bool, as_json: bool) -> bool:
    """Without a terminal, the answer is no."""
    if yes or as_json or not person_is_here():
        return yes
    return confirmed(question)


def _show(found: Sequence[Found], files: Sequence[EarlierFile], billing: Sequence[str]) -> None:
    if found:
        rows = [(one.provider, one.state, one.hint, one.where, one.why) for one in found]
        write_data(table(_HEADING, rows, columns(sys.stdout)))
    else:
        note("No keys were found, and there is no store of an earlier release. Add a key: llm-orc auth add")
    if files:
        note("Settings and ensembles (they stay where they are):")
    for file in files:
        note(one_line(f"  {file.state:<12} {file.file}"))
        for remark in file.remarks:
            note(f"    {one_line(remark)}")
    if billing:
        note("How copying changes who pays:")
    for words in billing:
        note(f"  {words}")


def _say(
    app: App,
    found: Sequence[Found],
    waiting: Sequence[Found],
    changes: Sequence[Change],
    *,
    has_copied: bool,
    remove_old: bool,
) -> None:
    from llm_orc.app.access.credentials import open_credentials
    from llm_orc.app.migration.rollback import removable

    if has_copied:
        protection = open_credentials(app).protection
        done = [one for one in found if one.state == "already-there" and one.why.startswith("copied")]
        kept = f" They are stored {protection.words}." if protection else ""
        note(f"Copied {_number(done)}, and read back from the store.{kept}")
        if done:
            note("They were not tested. To test those that runs use: llm-orc auth status --verify")
    for notice in _notices(app):
        note(notice)
    for change in changes:
        place = f"{change.file}:{change.line}" if change.line else f"{change.file}"
        note(f"{place}: {change.words}")
    if any(change.is_done for change in changes):
        note("Restore it with: llm-orc auth migrate --undo --yes")
    for line in dict.fromkeys(_next_steps(found)):
        note(line)
    if waiting and not has_copied:
        note("Nothing was changed. To copy: llm-orc auth migrate --yes")
    elif not remove_old and not changes and removable(app, found):
        note(
            "The old locations are unchanged. To remove those that can be: llm-orc auth migrate --yes --remove-old"
        )


def _notices(app: App) -> Iterable[str]:
    """What in the stores of earlier releases can't be read, or is no credential."""
    from llm_orc.app.access.credentials import older_stores

    return (notice for store in older_stores(app) for notice in store.read().notices)


def _next_steps(found: Iterable[Found]) -> Iterable[str]:
    """What this program can't do or decide by itself."""
    for one in found:
        if one.state == "differs":
            yield (
                f"{one.where} has another credential of `{one.provider}`. To use that one:"
                f" llm-orc auth migrate --yes --replace {quote(one.place)}"
            )
        if not one.is_kept:
            continue
        if one.kind == "environment":
            yield f"Your shell still has the variable `{one.variable}`: unset {one.variable}"
        elif one.kind == "shell-profile":
            yield f"{one.where} still sets `{one.variable}`: remove that line yourself"


def _undo(app: App, *, yes: bool, as_json: bool) -> int:
    from llm_orc.app.migration.rollback import put_away, put_back

    kept = put_away(app)
    places = [f"{one.file}:{one.line}" if one.line else str(one.file) for one in kept]
    if not kept:
        note("There is nothing to restore.")
    changes: tuple[Change, ...] = ()
    shown = "".join(f"\n  {place}" for place in places)
    is_agreed = bool(kept) and _agreed(f"Restore?{shown}\n", yes=yes, as_json=as_json)
    if is_agreed:
        changes = put_back(app, kept)
    if as_json:
        write_json({"put_away": list(places), "changes": [_change(change) for change in changes]})
    for change in changes:
        place = f"{change.file}:{change.line}" if change.line else f"{change.file}"
        note(f"{place}: {change.words}")
    if changes:
        note("The store keeps its copies. To delete one: llm-orc auth remove")
    elif kept and not as_json:
        note(f"Nothing was changed. To restore: llm-orc auth migrate --undo --yes{shown}")
    return 0 if all(change.is_done for change in changes) else 1


def _number(found: Sequence[Found]) -> str:
    return count(len({(one.provider, one.entry.account) for one in found if one.entry}), "credential")


def _value(
    found: Iterable[Found],
    files: Iterable[EarlierFile],
    billing: Iterable[str],
    changes: Iterable[Change],
) -> dict[str, JsonValue]:
    return {
        "found": [_found(one) for one in found],
        "files": [
            {"file": str(f.file), "kind": f.kind, "state": f.state, "remarks": list(f.remarks)} for f in files
        ],
        "billing_changes": list(billing),
        "changes": [_change(change) for change in changes],
    }


def _found(one: Found) -> JsonValue:
    return {
        "provider": one.provider,
        "kind": one.kind,
        "state": one.state,
        "why": one.why,
        "variable": one.variable or None,
        "file": str(one.file) if one.file else None,
        "line": one.line or None,
        "hint": one.hint or None,
        "billing": str(one.entry.billing) if one.entry else None,
        "account": one.entry.account if one.entry else None,
    }


def _change(change: Change) -> JsonValue:
    return {
        "file": str(change.file),
        "line": change.line or None,
        "is_done": change.is_done,
        "words": change.words,
    }
