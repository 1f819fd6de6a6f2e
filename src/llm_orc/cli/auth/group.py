"""`llm-orc auth`: get access, look at it, test it, end it."""

from __future__ import annotations

from llm_orc.cli.auth.arguments import AuthGroup
from llm_orc.cli.shell.command_group import define_group
from llm_orc.cli.table import Row

COMMANDS = (
    Row("add", "auth.add", "Add an API key or sign in."),
    Row("list", "auth.list", "List all credentials."),
    Row("status", "auth.status", "Show each credential's state, and which a run would use."),
    Row("test", "auth.test", "Test a provider's access with one minimal call."),
    Row("prefer", "auth.prefer", "Say which auth methods a provider's calls may use, in order."),
    Row("refresh", "auth.refresh", "Renew a sign-in now."),
    Row("switch", "auth.switch", "Make another account the active one."),
    Row(
        "migrate",
        "auth.migrate",
        "Copy keys found on this machine, and earlier releases' sign-ins, into the store.",
    ),
    Row("logout", "auth.logout", "Revoke a sign-in at the provider and delete it here."),
    Row("remove", "auth.remove", "Delete a credential here, without telling the provider."),
)


@define_group(COMMANDS, AuthGroup)
def command() -> None:
    """Sign in at providers, add API keys, and see which of them a run would use.

    PROVIDER is a name from `llm-orc setup`, or one of your own `providers` in config.yaml. No option takes a
    secret itself.

    \b
    llm-orc auth add openrouter                      in the browser
    llm-orc auth add openai --from-env OPENAI_KEY    a key
    llm-orc auth status                              what you have
    """
