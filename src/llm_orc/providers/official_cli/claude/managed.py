"""Managed settings, which administrators set for a whole machine: a token there outranks the environment's.

Its status doesn't distinguish the two.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

_FOLDER = Path("/Library/Application Support/ClaudeCode" if sys.platform == "darwin" else "/etc/claude-code")
_MOST_BYTES = 1_000_000


def managed_token(folder: Path = _FOLDER) -> Path | None:
    """Return the file of managed settings that sets a token, or that can't be read; None: there is none."""
    for file in (folder / "managed-settings.json", *sorted(folder.glob("managed-settings.d/*.json"))):
        try:
            with file.open("rb") as opened:
                settings = json.loads(opened.read(_MOST_BYTES))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, RecursionError):
            return file
        env = settings.get("env") if isinstance(settings, dict) else None
        if isinstance(env, dict) and env.get("ANTHROPIC_AUTH_TOKEN"):
            return file
    return None
