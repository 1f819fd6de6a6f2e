"""Notes of several `auth` commands on standard error: which access runs use now, and the state of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.cli.shell.output.streams import note

if TYPE_CHECKING:
    from llm_orc.app.accounts.status import AuthStatus
    from llm_orc.app.wiring import App


def note_used(app: App, provider: str, *, unless: tuple[str | None, str | None] = (None, None)) -> None:
    """Say nothing if runs use the method and account of `unless`, which the user has just chosen."""
    from llm_orc.app.accounts.official_cli import look_at_clis
    from llm_orc.app.accounts.status import auth_status
    from llm_orc.cli.shell.access_lines import WHO_PAYS
    from llm_orc.net.event_loop import run_to_end

    found = auth_status(app, provider, run_to_end(look_at_clis(app, provider)))
    used = next(iter(found.used()), None)
    if used is not None:
        if (used.method, used.account) != unless and used.method is not None:
            note(f"Runs that name `{provider}` now use {used.source} · {WHO_PAYS[used.billing]} · {used.use}.")
        elif used.shadows:
            note(f"Runs that name `{provider}` use it, not {' or '.join(used.shadows)}.")
    elif unless == (None, None):
        note(f"There is no other access to `{provider}`.")
    elif found.credentials:
        first = found.credentials[0]
        note(f"No run can use `{provider}` now: {first.why}.")
        if first.hint:
            note(f"hint: {first.hint}")


def note_store(found: AuthStatus) -> None:
    if not found.store.is_usable:
        note(f"warning: {found.store.words}")
        if found.store.hint:
            note(f"hint: {found.store.hint}")
    for notice in found.notices:
        note(notice)
