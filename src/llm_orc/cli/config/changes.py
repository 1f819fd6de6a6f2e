"""Say which setting was changed, in which file, what was there before, and whether it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.cli.shell.output.streams import note
from llm_orc.settings.change.key import words_of

if TYPE_CHECKING:
    from llm_orc.app.setup.settings import Change


def say_change(change: Change, *, is_set: bool = True) -> None:
    before = f"was {words_of(change.before)}" if change.was_set else "was not set"
    if is_set:
        note(f"{change.key}: {words_of(change.value)} ({before}), in {change.file}")
    else:
        note(f"{change.key} is removed ({before}), from {change.file}")
    if change.needs_trust:
        note("It has no effect before you trust the project: llm-orc trust")
    elif change.overridden_by is not None:
        what = "It has no effect here" if is_set else "Here it is still set"
        note(f"{what}: {change.overridden_by} {'overrides it' if is_set else 'sets it'}.")
