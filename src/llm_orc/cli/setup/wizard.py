"""The wizard: from what is found to a first answer. Each step can be skipped; it writes everything or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.accounts.auth_methods import open_provider
from llm_orc.app.accounts.sign_out import remove
from llm_orc.app.accounts.verify import try_access
from llm_orc.app.setup.defaults import (
    FIRST_ENSEMBLE,
    PACKAGED_ENSEMBLE,
    can_run,
    default_now,
    make_default,
    name_server,
    write_first_ensemble,
)
from llm_orc.app.setup.inventory import inventory
from llm_orc.cli.auth.add import ask_and_add_access, choose_and_add_access
from llm_orc.cli.setup.choose_model import choose_model
from llm_orc.cli.shell.access_lines import WHO_PAYS
from llm_orc.cli.shell.consent import settle_plan_credits
from llm_orc.cli.shell.exits import write_error
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.streams import Styled, note
from llm_orc.cli.shell.prompts import confirmed, select
from llm_orc.errors import AuthError, LlmOrcError
from llm_orc.formats.figures import seconds
from llm_orc.net.event_loop import run_to_end

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.app.access.route import Route

_SKIP = "Nothing now: leave it as it is"
_MORE = "Other access: sign in, or add an API key"
_AGAIN = "Enter it again"
_OTHER = "Delete it, and choose other access"


def wizard() -> None:
    """Guide a person to a default model and a first ensemble; say what was done and which command to run next."""
    found = _pick()
    while found is not None and not _proves(found):
        found = _pick()
    if found is not None:
        _write_default(found)
    _first_ensemble()
    _say_next()


def _say_next() -> None:
    """Name only commands that work now: without access, an ensemble can be rehearsed."""
    app = app_here()
    is_written = any(entry.name == FIRST_ENSEMBLE for entry in app.library.listing().entries)
    name = FIRST_ENSEMBLE if is_written else PACKAGED_ENSEMBLE
    if run_to_end(can_run(app)):
        run = Styled(f"llm-orc invoke {name}", "bold")
        note("\nNext: ", run, ", or talk: ", Styled("llm-orc chat", "bold"))
    else:
        note("\nNext, without any model: ", Styled(f"llm-orc invoke {name} --rehearse", "bold"))
        note("To get access later: ", Styled("llm-orc setup", "bold"))


def set_up_provider(provider: str | None) -> bool:
    """Set up `provider`, or whatever the person picks, during another command; return whether it is set up."""
    if provider is None:
        found = _pick()
        if found is None:
            return False
        _write_default(found)
        return True
    return _added(provider)


def _added(provider: str, *, replaces: bool = False) -> bool:
    """Add access to this provider, and return whether there is any now; what failed is said."""
    app = app_here()
    try:
        ask_and_add_access(app, open_provider(app, provider), replaces=replaces)
    except LlmOrcError as e:
        write_error(e)
    except click.exceptions.Exit:  # the person stopped it, and was told so
        pass
    else:
        return True
    return False


def _pick() -> Route | None:
    """Show what is found and let the person choose, until the choice exists."""
    while True:
        found = _look()
        options = [*map(_title, found), _MORE, _SKIP]
        choice = select("Which one should agents use that name no model?", options)
        if options[choice] == _SKIP:
            return None
        if options[choice] == _MORE:
            _add_another()
            continue
        chosen = found[choice]
        if not settle_plan_credits(app_here(), chosen.provider, chosen.billing):
            continue
        name_server(app_here(), chosen)
        if (with_model := choose_model(chosen)) is not None:
            return with_model


def _title(found: Route) -> str:
    model = f" {found.model}" if found.model else ""
    return f"{found.provider}{model} · {WHO_PAYS[found.billing]} · {found.evidence}"


def _look() -> Sequence[Route]:
    note("Looking for access on this machine…")
    found = run_to_end(inventory(app_here())).every
    if not found:
        note("No access to a model was found yet.")
    return found


def _add_another() -> None:
    try:
        choose_and_add_access(app_here())
    except LlmOrcError as e:
        write_error(e)
    except click.exceptions.Exit:  # the person stopped it, and was told so
        return


def _proves(found: Route) -> bool:
    """Make a real call, after consent if it costs; return whether to continue with this access.

    A refused credential can be entered again any number of times.
    """
    if found.billing.may_cost and not confirmed("Make a test call? It costs less than a cent.", default=True):
        return True
    while True:
        note("Making one real call…")
        try:
            proof = run_to_end(try_access(app_here(), found.provider, found.model))
        except AuthError as e:
            write_error(e)
            if not _enters_again(found):
                return False
            continue
        except LlmOrcError as e:
            write_error(e)
            return confirmed("Use it anyway?")
        except TimeoutError:
            note("No answer within a minute.")
            return confirmed("Use it anyway?")
        note(f"`{proof.model}` answered in {seconds(proof.took_s)}.")
        return True


def _enters_again(found: Route) -> bool:
    """After a refusal: return whether there is something new to try. On request, delete the credential."""
    stored = next((e for e in open_credentials(app_here()).entries() if e.provider == found.provider), None)
    if stored is None or stored.source != "own":
        note(f"`{found.provider}` is {found.evidence}: correct it there, or choose other access.")
        return False
    if select("It was refused. What do you want to do?", [_AGAIN, _OTHER]) == 1:
        remove(app_here(), found.provider, stored.account)
        note(f"Deleted: the credential of `{found.provider}` (account `{stored.account}`).")
        return False
    _added(found.provider, replaces=True)
    return True


def _write_default(found: Route) -> None:
    app = app_here()
    before = default_now(app)
    if before.is_own and (before.provider, before.model) == (found.provider, found.model):
        note("That is already the default.")
        return
    if (
        before.is_own
        and before.provider is not None
        and not confirmed(f"The default is now `{before.provider}` {before.model or ''}. Change it?", default=True)
    ):
        return
    file = make_default(app, found.provider, found.model)
    note(f"Agents that name no model now use `{found.provider}`: `model_profiles.default` in {file}")


def _first_ensemble() -> None:
    app = app_here()
    if any(entry.name == FIRST_ENSEMBLE for entry in app.library.listing().entries):
        return
    if confirmed(f"Write a first ensemble, `{FIRST_ENSEMBLE}`, to try it?", default=True):
        file = write_first_ensemble(app)
        if file is not None:
            note(f"Written: {file}")
