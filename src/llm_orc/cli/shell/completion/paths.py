"""Files offered by this program and not by the shell: of one kind only, or seen from the directory of `-C`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from llm_orc.formats.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator


def paths(incomplete: str, suffixes: tuple[str, ...] = ()) -> Iterator[CompletionItem]:
    """Offer the files with these suffixes (none: all) that begin so, and folders once something was typed."""
    folder, _, begin = incomplete.rpartition("/")
    folder = f"{folder}/" if "/" in incomplete else ""
    try:
        entries = sorted(os.scandir(Path(folder or ".").expanduser()), key=lambda entry: entry.name)
    except (OSError, ValueError, RuntimeError):
        return
    for entry in entries:
        name = entry.name
        if not name.startswith(begin) or (name.startswith(".") and not begin) or one_line(name) != name:
            continue
        if entry.is_dir():
            if incomplete:
                yield CompletionItem(f"{folder}{name}/", type="path")
        elif not suffixes or name.endswith(suffixes):
            yield CompletionItem(f"{folder}{name}", type="path")
