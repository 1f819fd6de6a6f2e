"""Official CLIs as auth methods: their state on this machine, and making one what runs use."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llm_orc.app.accounts.prefer import prefer
from llm_orc.catalog.table import OFFICIAL_CLIS, PROVIDERS
from llm_orc.providers.official_cli.find import find_program, not_installed

if TYPE_CHECKING:
    from llm_orc.app.accounts.auth_methods import AuthMethod, AuthProvider
    from llm_orc.app.accounts.prefer import Preference
    from llm_orc.app.wiring import App
    from llm_orc.providers.official_cli.state import CliState


async def look_at_clis(app: App, provider: str | None = None) -> dict[str, CliState]:
    """Return the states of the official CLIs, or of the one that serves `provider`, by name."""
    names = list(OFFICIAL_CLIS)
    if provider is not None:
        spec = PROVIDERS.get(provider)
        names = [spec.cli] if spec is not None and spec.cli is not None else []
    return await _look(app, names)


async def look_at_cli(app: App, name: str) -> CliState:
    """Return the state of one official CLI, by its own name."""
    return (await _look(app, [name]))[name]


def login_command(name: str) -> tuple[str, ...]:
    """Return the vendor's own login command, to be run in the user's terminal."""
    return OFFICIAL_CLIS[name].login_command


def logout_command(name: str) -> tuple[str, ...]:
    """Return the vendor's own logout command."""
    return OFFICIAL_CLIS[name].logout_command


def use_cli(app: App, provider: AuthProvider, method: AuthMethod, state: CliState) -> Preference:
    """Make the CLI the first method of `provider`; the others that were allowed stay behind it.

    Raises what is wrong with it, such as `NotLoggedIn`.
    """
    if state.problem is not None:
        raise state.problem
    others = [name for name in provider.preferred if name != method.name]
    return prefer(app, provider, (method.name, *others), acknowledge_terms=True)


async def _look(app: App, names: list[str]) -> dict[str, CliState]:
    environ = app.environment.environ
    states = {name: not_installed(OFFICIAL_CLIS[name]) for name in names}
    there = [name for name in names if find_program(OFFICIAL_CLIS[name], environ) is not None]
    if there:
        from llm_orc.providers.official_cli.official import OfficialClis  # noqa: PLC0415 - heavy: drivers of programs

        async with OfficialClis(environ) as clis:
            states.update(zip(there, await asyncio.gather(*map(clis.look, there)), strict=True))
    return states
