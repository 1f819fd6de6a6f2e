"""`llm-orc auth add --method claude-cli`: use the vendor's own program and its login."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from llm_orc.cli.shell.options import write_json
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.prompts import confirmed, person_is_here
from llm_orc.errors import NotLoggedIn

if TYPE_CHECKING:
    from llm_orc.app.accounts.auth_methods import AuthMethod, AuthProvider
    from llm_orc.app.wiring import App
    from llm_orc.providers.official_cli.state import CliState


def use_official_cli(app: App, provider: AuthProvider, method: AuthMethod, *, as_json: bool) -> None:
    """Say how the program stands, offer its sign-in, and make it what runs of `provider` use."""
    from llm_orc.app.accounts.official_cli import use_cli
    from llm_orc.cli.shell.access_lines import WHO_PAYS

    state = _look(app, method.name)
    if isinstance(state.problem, NotLoggedIn) and person_is_here() and _log_in(app, state):
        state = _look(app, method.name)
    preference = use_cli(app, provider, method, state)
    if as_json:
        write_json(
            {
                "provider": provider.name,
                "method": method.name,
                "billing": str(method.billing),
                "program": str(state.path),
                "version": state.version,
                "plan": state.plan,
                "file": str(preference.file),
            }
        )
    note(f"`{provider.name}` now uses {state.in_words}; {WHO_PAYS[method.billing]}.")
    note(
        f"That is `providers.{provider.name}.auth_method` in {preference.file}. Its login was not read or copied."
    )
    note(f"Try it: llm-orc auth test {provider.name}")


def log_out_of_cli(app: App, provider: str) -> bool:
    """Offer the vendor's own logout in this terminal; True if the user agreed and it succeeded."""
    from llm_orc.app.accounts.official_cli import cli_of, logout_command

    cli = cli_of(app, provider)
    command = () if cli is None else logout_command(app, cli)
    if cli is None or not command or not person_is_here():
        return False
    state = _look(app, cli)
    if state.path is None:
        return False
    note(f"llm-orc stores no sign-in of `{provider}`: the login of `{state.command}` belongs to that program.")
    if not confirmed(f"Run its own logout here: {' '.join(command)}", default=False):
        return False
    done = subprocess.run([str(state.path), *command[1:]], check=False)  # noqa: S603 - its user's own program
    return done.returncode == 0


def _look(app: App, name: str) -> CliState:
    from llm_orc.app.accounts.official_cli import look_at_cli
    from llm_orc.net.event_loop import run_to_end

    return run_to_end(look_at_cli(app, name))


def _log_in(app: App, state: CliState) -> bool:
    """Run the vendor's own login in this terminal if the user agrees; none of it passes through llm-orc."""
    from llm_orc.app.accounts.official_cli import login_command

    command = login_command(app, state.name)
    note(f"`{state.command}` is installed but not logged in.")
    if not confirmed(f"Start its own login here: {' '.join(command)}", default=True):
        return False
    done = subprocess.run([str(state.path), *command[1:]], check=False)  # noqa: S603 - its user's own program
    return done.returncode == 0
