"""If a run has no access: offer to set it up, and then continue the run."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from llm_orc.cli.shell.exits import write_error
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.prompts import confirmed, person_is_here
from llm_orc.errors import StorageError
from llm_orc.storage.atomic import write_private

if TYPE_CHECKING:
    from llm_orc.errors import NotLoggedIn


def sets_up(missing: NotLoggedIn) -> bool:
    """Ask the person, and guide the setup; return whether the run may be tried again.

    If no provider is named, the question is asked only once ever: later there is `llm-orc setup`.
    """
    if not person_is_here():
        return False
    asked = app_here().paths.state / "setup-offered"
    if missing.provider is None and asked.exists():
        return False
    write_error(missing)
    what = f"Set up `{missing.provider}`" if missing.provider else "Set up access to a model"
    if missing.provider is None:
        with suppress(StorageError):
            write_private(asked, b"")
    if not confirmed(f"{what} now, and continue?", default=True):
        return False
    from llm_orc.cli.setup.wizard import set_up_provider

    return set_up_provider(missing.provider)
