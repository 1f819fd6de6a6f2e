"""Detect an active profile of Anthropic's other programs: `claude` uses it as its login, and an account pays.

Such a profile signs in to the Console (`user_oauth`) or as a workload (`oidc_federation`). The child is shown an
empty folder instead; if a profile exists, only a stored login proves a plan.
"""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_BYTES = 1_000_000


def active_profile(environ: Mapping[str, str]) -> tuple[Path, str] | None:
    """Return the file of the active profile and its kind, None if there is none.

    A file that can't be read or parsed is of the kind "unreadable".
    """
    folder = _folder(environ)
    if folder is None:
        return None
    try:
        name = _text(folder / "active_config").strip() or "default"
    except FileNotFoundError:
        name = "default"
    except (OSError, ValueError):
        return folder / "active_config", "unreadable"
    file = folder / "configs" / f"{name}.json"
    try:
        profile = json.loads(_text(file))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError):
        return file, "unreadable"
    authentication = profile.get("authentication") if isinstance(profile, dict) else None
    kind = authentication.get("type") if isinstance(authentication, dict) else None
    return file, kind if isinstance(kind, str) else "unreadable"


def _folder(environ: Mapping[str, str]) -> Path | None:
    if environ.get("XDG_CONFIG_HOME", "").strip():
        return Path(environ["XDG_CONFIG_HOME"].strip()) / "anthropic"
    home = environ.get("HOME", "").strip()
    return Path(home) / ".config" / "anthropic" if home else None


def _text(file: Path) -> str:
    if file.exists() and not file.is_file():
        raise OSError(errno.EINVAL, "no regular file", str(file))  # a pipe would block us
    with file.open("rb") as opened:
        return opened.read(_MOST_BYTES).decode("utf-8")
