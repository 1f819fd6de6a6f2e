"""The provider's terms of an auth method: shown before anything is added, and agreed to by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.prompts import confirmed, person_is_here

if TYPE_CHECKING:
    from llm_orc.app.accounts.auth_methods import AuthMethod


def agrees_to_terms(method: AuthMethod) -> bool:
    """Show what the provider's terms demand, and ask. Without a terminal the answer is no."""
    if method.notice is None or not method.is_ready or not person_is_here():
        return False
    note(f"{method.notice.text}\n({method.notice.link}, as of {method.notice.date})")
    return confirmed("Continue?")
