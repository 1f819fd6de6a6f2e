"""Who answers at this machine."""

from __future__ import annotations

from getpass import getuser
from typing import TYPE_CHECKING

from llm_orc.net.text import one_line

if TYPE_CHECKING:
    from llm_orc.app.wiring import App

_LONGEST = 64
_NAMES = ("LOGNAME", "USER", "USERNAME")


def person_here(app: App) -> str:
    """Return the name of the user as the system calls them; `unknown` if it doesn't say."""
    for name in _NAMES:
        if value := app.environment.environ.get(name, "").strip():
            return one_line(value, _LONGEST)
    try:
        return one_line(getuser(), _LONGEST)
    except (OSError, ImportError, KeyError):
        return "unknown"
