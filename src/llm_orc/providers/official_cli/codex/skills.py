"""Find the skills that `codex` would read for a `$name` in a prompt, so that each can be switched off.

A prompt may be another agent's answer, and no word in it may add a file to the request.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.errors import AccessNotSupported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FILE = "SKILL.md"
_DEEPEST = 8
_MOST_FOLDERS = 5000
_LONGEST_ARGUMENT = 120_000  # bytes; Linux takes 128 KiB


def without_skills(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the arguments that switch off every installed skill of the user of `env`.

    Raises `AccessNotSupported` if there are more than a command line can name.
    """
    found = list(_skills(_folders(env)))
    setting = ",".join(f"{{path={json.dumps(path, ensure_ascii=False)},enabled=false}}" for path in found)
    if len(os.fsencode(setting)) > _LONGEST_ARGUMENT:
        raise AccessNotSupported(
            f"`codex` has {len(found):,} skills, more than can be switched off for a call",
            hint="Move the ones that you don't need out of its `skills` folder.",
        )
    return ("-c", f"skills.config=[{setting}]") if found else ()


def _folders(env: Mapping[str, str]) -> Iterator[Path]:
    home = env.get("HOME", "")
    own = env.get("CODEX_HOME", "") or (f"{home}/.codex" if home else "")
    if own:
        yield Path(own) / "skills"
    if home:
        yield Path(home) / ".agents" / "skills"
    yield Path("/etc/codex/skills")


def _skills(folders: Iterator[Path]) -> Iterator[str]:
    """Yield the files, links followed, each folder once."""
    seen: set[str] = set()
    for folder in folders:
        for place, below, files in os.walk(folder, followlinks=True):
            real = os.path.realpath(place)
            if real in seen or len(seen) > _MOST_FOLDERS or len(Path(place).relative_to(folder).parts) > _DEEPEST:
                below.clear()
                continue
            seen.add(real)
            if _FILE in files:
                file = str(Path(place) / _FILE)
                yield from dict.fromkeys((file, os.path.realpath(file)))
