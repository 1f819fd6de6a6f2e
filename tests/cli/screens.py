"""Screens as text beside the tests. One that changed on purpose is deleted: the next run writes it; read the diff."""

from __future__ import annotations

from pathlib import Path


def assert_screen(file: Path, shown: str) -> None:
    """Compare what stands on the screen with the kept one."""
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown, encoding="utf-8")
        raise AssertionError(f"{file.name} was missing and has been written: look at it, and run the test again")
    assert shown == file.read_text(encoding="utf-8")
