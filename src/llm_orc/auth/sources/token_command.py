"""The command that the configuration names for a provider's tokens: `token_command`. It is only run for a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_orc.auth.commands import find_command, in_words
from llm_orc.auth.sources.source import FoundCredential, Places, Wanted
from llm_orc.auth.standing import Standing
from llm_orc.errors import NotLoggedIn

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME: Final = "token-command"


def in_token_command(wanted: Wanted, places: Places) -> Iterator[FoundCredential]:
    argv = wanted.command
    if not argv:
        return
    setting = f"providers.{wanted.provider}.token_command"
    shown = f"token command `{in_words(argv)}`"
    standing = Standing("unverified", "it is run when a call needs a token; its output is never stored")
    if wanted.is_plan:
        problem = NotLoggedIn(
            f"`{setting}` has no effect: a plan pays for `{wanted.provider}`, and takes no other credential",
            hint="Set it for the provider that bills per token.",
        )
        standing = Standing("absent", problem.message, problem.hint, problem)
    elif find_command(argv[0], places.environ) is None:
        problem = NotLoggedIn(
            f"the {shown} can't be run: there is no program `{argv[0]}`",
            hint=f"Install it, or correct `{setting}`.",
            provider=wanted.provider,
        )
        standing = Standing("absent", problem.message, problem.hint, problem)
    yield FoundCredential(
        NAME, NAME, f"{shown}, named in the configuration", shown, standing, is_set_up=True, command=argv
    )
