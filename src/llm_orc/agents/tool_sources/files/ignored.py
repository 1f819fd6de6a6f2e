"""What a search leaves out: what `.gitignore` files say, and folders that nobody wants searched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.tool_sources.glob import matches
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

SKIPPED = frozenset({".git", ".hg", ".svn", ".jj", "_darcs", "node_modules", "__pycache__", ".venv"})
_MOST_RULES = 1000  # of one file


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: str
    is_kept: bool  # `!pattern`: not ignored after all
    only_folders: bool


@dataclass(frozen=True, slots=True)
class Ignored:
    """The rules of one `.gitignore`, which stands `depth` folders below the root. The last that matches counts."""

    depth: int
    rules: tuple[_Rule, ...]

    def says(self, parts: Sequence[str], *, is_folder: bool) -> bool | None:
        """Return whether it ignores the path; None: it says nothing of it."""
        below = parts[self.depth :]
        for rule in reversed(self.rules):
            if (is_folder or not rule.only_folders) and matches(rule.pattern, below):
                return not rule.is_kept
        return None


def read_ignored(depth: int, text: str) -> Ignored:
    """Return the rules of a `.gitignore` (gitignore(5))."""
    rules: list[_Rule] = []
    for written in text.splitlines()[:_MOST_RULES]:
        line = written.rstrip()
        if not line or line.startswith("#"):
            continue
        is_kept = line.startswith("!")
        line = line.removeprefix("!")
        only_folders = line.endswith("/")
        if pattern := line.rstrip("/"):
            rules.append(_Rule(pattern, is_kept, only_folders))
    return Ignored(depth, tuple(rules))


def is_ignored(parts: Sequence[str], files: Sequence[Ignored], *, is_folder: bool) -> bool:
    """Return whether a path is left out: by the nearest `.gitignore` that says something of it."""
    if is_folder and parts[-1] in SKIPPED:
        return True
    for file in reversed(files):
        says = file.says(parts, is_folder=is_folder)
        if says is not None:
            return says
    return False
