"""The terminal sessions that the documentation shows, and what really stands on the screen.

A block below `<!-- session -->` has commands, after `$ `, and their output. All such blocks of a page are one
session: it starts in an empty home, with written answers. A block below `<!-- file: NAME -->` is a file's content.
Blocks below `<!-- cell -->` are the cells of one notebook; what a cell displays is the block of `text` after it.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from recorded_terminal import Terminal, plain
from written_answers import load_answers, serve_answers

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
_STEP = re.compile(
    r"^<!-- file: (?P<file>\S+) -->\n```\w*\n(?P<text>.*?)^```$"
    r"|^<!-- session -->\n```console\n(?P<session>.*?)^```$"
    r"|^<!-- cell -->\n```python\n(?P<cell>.*?)^```$(?:\n\n```text\n.*?^```$)?",
    flags=re.MULTILINE | re.DOTALL,
)
_DURATION = r"\d+(?:\.\d+)?[ \xa0](?:s|ms)\b"
_DATE = r"\d{4}-\d\d-\d\d(?:T[\d:.]*[Z…]?)?"
_BATCH = r"\bb[0-9a-f]{12}\b"
_CHANGING = re.compile(f"{_DURATION}|{_DATE}|{_BATCH}")


def pages() -> list[Path]:
    """Return the pages that show a session."""
    every = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        page
        for page in every
        if re.search(r"^<!-- (session|cell) -->$", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]


def recorded(page: Path, pause_s: float = 0) -> str:
    """Return the text of `page` with the output that its commands have today."""
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as home, serve_answers(load_answers(), pause_s) as url:
        terminal = Terminal(Path(home), "panel", url)
        displayed = _displayed([step["cell"] for step in _STEP.finditer(text) if step["cell"]], terminal)
        return _STEP.sub(lambda step: _carry_out(step, terminal, displayed), text)


def is_stale(shown: str, today: str) -> bool:
    """Return whether they differ in more than durations and times."""
    return steady(shown) != steady(today)


def steady(text: str) -> str:
    """Return `text` with all durations and times the same, and all wide spaces."""
    return re.sub(r" {2,}", "  ", _CHANGING.sub("TIME", text))


def commands_in(session: str) -> list[str]:
    """Return the commands of a session; one that ends with a backslash continues in the next line."""
    return re.findall(r"^\$ ((?:.*\\\n)*.*)$", session, flags=re.MULTILINE)


def write_files(page: Path, terminal: Terminal) -> None:
    """Write the files that `page` shows into the terminal's folder."""
    for step in _STEP.finditer(page.read_text(encoding="utf-8")):
        if step["file"]:
            _write(step, terminal)


def _carry_out(step: re.Match[str], terminal: Terminal, displayed: Iterator[str]) -> str:
    if step["file"]:
        _write(step, terminal)
        return step[0]
    if step["cell"]:
        shown = next(displayed)
        return f"<!-- cell -->\n```python\n{step['cell']}```" + (f"\n\n```text\n{shown}```" if shown else "")
    return f"<!-- session -->\n```console\n{''.join(_shown(step['session'], terminal))}```"


def _displayed(cells: list[str], terminal: Terminal) -> Iterator[str]:
    """Yield what each cell displays. They run when the first is asked for: the files above it are there then."""
    yield from terminal.display(cells)


def _shown(session: str, terminal: Terminal) -> Iterator[str]:
    for command in commands_in(session):
        lines, _ = terminal.run(command)
        yield "\n".join([f"$ {command}", *map(plain, lines)]) + "\n"


def _write(step: re.Match[str], terminal: Terminal) -> None:
    path = terminal.directory / step["file"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(step["text"], encoding="utf-8")
    if step["text"].startswith("#!"):
        path.chmod(0o755)
