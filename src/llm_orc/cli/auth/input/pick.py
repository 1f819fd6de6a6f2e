"""Which provider and account a command of this group is about, if its arguments don't say: a menu, or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.auth.credential import ApiKey, Entry
from llm_orc.cli.shell.access_lines import WHO_PAYS
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.prompts import person_is_here, select
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.errors import NotLoggedIn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llm_orc.app.wiring import App

_NONE = "None of these"


def pick(question: str, missing: str, options: Sequence[tuple[str, str]]) -> str:
    """Let the person choose one of `options`, pairs of a value and its description.

    A person who wants none of them ends the command. Raises `UsageMistake`, with the values, where nobody can be
    asked; `missing` names the argument.
    """
    if not person_is_here():
        named = ", ".join(f"`{value}`" for value, _ in options)
        raise UsageMistake(f"missing argument `{missing}`", hint=f"Name one: {named}." if named else None)
    number = select(question, [*(words for _, words in options), _NONE])
    if number >= len(options):
        note("Nothing was changed.")
        raise click.exceptions.Exit(1)
    return options[number][0]


def pick_stored(
    app: App, question: str, absent: str = "", wanted: Callable[[Entry], bool] = lambda entry: True
) -> tuple[str, str]:
    """Let the person choose a stored credential; return its provider and account.

    `absent` says that others are stored, but none that is `wanted`.

    Raises `NotLoggedIn` if there is none, `CredentialStoreError`, and as `pick` does.
    """
    from llm_orc.app.access.credentials import open_credentials

    stored = open_credentials(app).entries()
    if not stored:
        raise NotLoggedIn("no credential is stored yet", hint="llm-orc auth add")
    entries = [entry for entry in stored if wanted(entry)]
    if not entries:
        raise NotLoggedIn(absent, hint="llm-orc auth list")
    if not person_is_here():
        names = [(name, name) for name in dict.fromkeys(entry.provider for entry in entries)]
        pick(question, "PROVIDER", names)
    chosen = pick(question, "PROVIDER", [(str(number), _described(one)) for number, one in enumerate(entries)])
    return entries[int(chosen)].provider, entries[int(chosen)].account


def _described(entry: Entry) -> str:
    what = "API key" if isinstance(entry.credential, ApiKey) else "sign-in"
    label = f" ({entry.label})" if entry.label else ""
    return f"{entry.provider} · {what}, account `{entry.account}`{label} · {WHO_PAYS[entry.billing]}"
