"""What the `auth` commands share: arguments that never repeat a secret, and exit codes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.arguments import ProviderName
from llm_orc.cli.shell.options import CONTEXT
from llm_orc.storage.suggest import closest_names

if TYPE_CHECKING:
    from collections.abc import Callable

AUTH_EXIT_CODES = """\b
Exit codes:
  0  done                                  4  no usable credential, or a store that can't be used
  2  wrong usage, or nobody to answer      5  the provider could not be reached, or said no
  3  settings                            130  stopped by Ctrl-C
"""
KEYS_COME_IN = "A key comes in by a hidden prompt, or with --from-stdin, --from-file FILE or --from-env NAME."
_KEY_SHAPE = re.compile(
    r"(sk|rk|gsk|hf|xai|pplx|r8|nvapi|ghp|gho|ghu|ghs|github_pat|sandbox-[ar]t)[-_][A-Za-z0-9_\-+/.=]{8,}"
    r"|AIza[A-Za-z0-9_\-]{20,}"
    r"|eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-.]+"  # a JSON Web Token
    r"|Bearer\s.*"
    r"|(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_\-+]{32,}={0,2}"
)
_SECRET_GIVEN = (
    "A secret stands on the command line, where the process list and the shell's history show it. It was not used;"
    f" if others use this machine, replace it at its provider. {KEYS_COME_IN}"
)

provider_argument = click.argument("provider", type=ProviderName())
account_option = click.option(
    "--account", metavar="NAME", help="One account of several, e.g. `--account work`.  [default: the active one]"
)


def looks_like_key(argument: str) -> bool:
    """True too for `--option=key`."""
    return any(part and _KEY_SHAPE.fullmatch(part) for part in (argument, argument.partition("=")[2]))


class AuthGroup(click.Group):
    """Refuses a secret among the arguments before any message could repeat it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing and any(map(looks_like_key, args)):
            raise click.UsageError(_SECRET_GIVEN, ctx)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            near = closest_names(args[0], self.commands)
            ctx.fail(
                f"There is no such command. Did you mean `{near[0]}`?"
                if near
                else f"There is no such command; there are {', '.join(self.commands)}."
            )
        return super().resolve_command(ctx, args)


class AuthCommand(click.Command):
    """Does not repeat an argument that is too many: it may be a key of a shape that nobody knows."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as e:
            if "unexpected extra argument" not in e.message:
                raise
        raise click.UsageError(f"There is an argument too many. {KEYS_COME_IN}", ctx)


def auth_command(
    name: str, summary: str, exit_codes: str = AUTH_EXIT_CODES
) -> Callable[[Callable[..., object]], AuthCommand]:
    """Return click's decorator with the conventions of this group."""
    return click.command(name, cls=AuthCommand, short_help=summary, epilog=exit_codes, context_settings=CONTEXT)
