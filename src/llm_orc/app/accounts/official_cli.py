"""Official CLIs as auth methods: their state on this machine, and making one what runs use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.accounts.prefer import prefer
from llm_orc.errors import SettingsError
from llm_orc.net.late_loop import start_loop
from llm_orc.providers.lookup import find_provider, official_clis
from llm_orc.providers.official_cli.find import find_program, not_installed

if TYPE_CHECKING:
    from llm_orc.app.accounts.auth_methods import AuthMethod, AuthProvider
    from llm_orc.app.accounts.prefer import Preference
    from llm_orc.app.wiring import App
    from llm_orc.providers.official_cli.state import CliState


async def look_at_clis(app: App, provider: str | None = None) -> dict[str, CliState]:
    """Return the states of the official CLIs, or of the one that serves `provider`, by name."""
    names = list(official_clis(app.settings.providers))
    if provider is not None:
        cli = cli_of(app, provider)
        names = [] if cli is None else [cli]
    return await _look(app, names)


def cli_of(app: App, provider: str) -> str | None:
    """Return the name of the official CLI that serves `provider`; None: there is none, or no such provider."""
    try:
        return find_provider(provider, app.settings.providers).cli
    except SettingsError:
        return None


async def look_at_cli(app: App, name: str) -> CliState:
    """Return the state of one official CLI, by its own name."""
    return (await _look(app, [name]))[name]


def login_command(app: App, name: str) -> tuple[str, ...]:
    """Return the vendor's own login command, to be run in the user's terminal; empty if it is not known."""
    return official_clis(app.settings.providers)[name].login_command


def logout_command(app: App, name: str) -> tuple[str, ...]:
    """Return the vendor's own logout command; empty if it is not known."""
    return official_clis(app.settings.providers)[name].logout_command


def use_cli(app: App, provider: AuthProvider, method: AuthMethod, state: CliState) -> Preference:
    """Make the CLI the first method of `provider`; the others that were allowed stay behind it.

    Raises what is wrong with it, such as `NotLoggedIn`.
    """
    if state.problem is not None:
        raise state.problem
    others = [name for name in provider.preferred if name != method.name]
    return prefer(app, provider, (method.name, *others), acknowledge_terms=True)


async def _look(app: App, names: list[str]) -> dict[str, CliState]:
    environ, rows = app.environment.environ, official_clis(app.settings.providers)
    states = {name: not_installed(rows[name]) for name in names}
    there = [name for name in names if find_program(rows[name], environ) is not None]
    if there:
        import asyncio  # noqa: PLC0415 - heavy

        from llm_orc.providers.official_cli.official import OfficialClis  # noqa: PLC0415 - heavy: drivers of programs

        await start_loop()
        async with OfficialClis(environ, rows=rows) as clis:
            states.update(zip(there, await asyncio.gather(*map(clis.look, there)), strict=True))
    return states
