"""`llm-orc auth`: get access, look at it, prove it, end it."""

from __future__ import annotations

import click

from llm_orc.cli.auth.add import add
from llm_orc.cli.auth.arguments import AUTH_EXIT_CODES, AuthGroup
from llm_orc.cli.auth.end import logout, remove, switch
from llm_orc.cli.auth.migrate import migrate
from llm_orc.cli.auth.prefer import prefer
from llm_orc.cli.auth.prove import refresh, test
from llm_orc.cli.auth.show import list_command, status
from llm_orc.cli.shell.options import CONTEXT


@click.group(
    cls=AuthGroup,
    context_settings=CONTEXT,
    epilog=AUTH_EXIT_CODES,
    short_help="Sign in, add API keys, and see which a run would use.",
)
def command() -> None:
    """Sign in at providers, add API keys, and see which of them a run would use.

    PROVIDER is a name of `llm-orc setup`, or one of your own `providers` in config.yaml. No option takes a secret
    itself.

    \b
    llm-orc auth add openrouter                      in the browser
    llm-orc auth add openai --from-env OPENAI_KEY    a key
    llm-orc auth status                              what there is
    """


for part in (add, list_command, status, test, prefer, refresh, switch, migrate, logout, remove):
    command.add_command(part)
