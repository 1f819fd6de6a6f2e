"""Arguments that the `auth` commands share. No message about them ever repeats a secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.arguments import ProviderName
from llm_orc.cli.shell.command_group import LazyGroup, PlainCommand, define_command
from llm_orc.cli.shell.usage import UsageMistake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEYS_COME_IN = "Enter a key at the hidden prompt, or with --from-stdin, --from-file FILE or --from-env NAME."
_KEY_SHAPE = re.compile(
    r"(sk|rk|gsk|hf|xai|pplx|r8|nvapi|ghp|gho|ghu|ghs|github_pat|sandbox-[ar]t)[-_][A-Za-z0-9_\-+/.=]{8,}"
    r"|AIza[A-Za-z0-9_\-]{20,}"
    r"|eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-.]+"  # a JSON Web Token
    r"|Bearer\s.*"
    r"|(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_\-+]{32,}={0,2}"
)

provider_argument = click.argument("provider", required=False, type=ProviderName())
"""Without it, the command asks for one in a terminal."""
account_option = click.option(
    "--account", metavar="NAME", help="One account of several, e.g. `--account work`.  [default: the active one]"
)


def looks_like_key(argument: str) -> bool:
    """Also true for `--option=key`."""
    return any(part and _KEY_SHAPE.fullmatch(part) for part in (argument, argument.partition("=")[2]))


class AuthGroup(LazyGroup):
    """Refuses a secret among the arguments before a message could repeat it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing and any(map(looks_like_key, args)):
            raise UsageMistake(
                "a secret is on the command line, where the process list and the shell's history show it;"
                " it was not used",
                hint=f"If others use this machine, replace it at its provider. {KEYS_COME_IN}",
                context=ctx,
            )
        return super().parse_args(ctx, args)

    def unknown_command(self, ctx: click.Context, name: str, *following: str) -> UsageMistake:
        """Return an error that does not repeat the name, because it may be a key of an unknown form."""
        return UsageMistake(
            "there is no such command",
            hint=self.instead(ctx, name, *following) or f"The commands are {', '.join(self.rows)}.",
            context=ctx,
        )


class AuthCommand(PlainCommand):
    """Does not repeat a superfluous argument: it may be a key of an unknown form."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as e:
            if "unexpected extra argument" not in e.message:
                raise
        raise UsageMistake("there is one argument too many", hint=KEYS_COME_IN, context=ctx)


def auth_command(exit_codes: Mapping[int, str] | None = None) -> Callable[[Callable[..., object]], click.Command]:
    """Return click's decorator for a command of this group; `exit_codes` as in `define_command`."""
    return define_command(exit_codes, AuthCommand)
