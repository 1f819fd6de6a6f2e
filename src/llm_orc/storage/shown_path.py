"""How messages for people show a path: relative to where they work, or to their home."""

from __future__ import annotations

import os
from pathlib import Path


def shown_path(path: Path) -> str:
    """Return the path relative to the working directory if it is below it, with `~` if it is below the home.

    All others are shown as they are. For people only: data has absolute paths.
    """
    try:
        if path.is_relative_to(here := Path.cwd()):
            return str(path.relative_to(here))
        if path != (home := Path.home()) and path.is_relative_to(home):
            return f"~{os.sep}{path.relative_to(home)}"
    except (OSError, RuntimeError):  # the directory is gone; there is no home
        pass
    return str(path)
