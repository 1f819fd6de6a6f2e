"""The terminal sessions and the picture in the documentation are what the program prints today."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import picture
import sessions

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sessions are recorded on a pseudo-terminal")


def test_sessions_are_shown() -> None:
    assert sessions.ROOT / "README.md" in sessions.pages()


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=() if page.name == "README.md" else pytest.mark.slow) for page in sessions.pages()],
    ids=lambda page: str(page.relative_to(sessions.ROOT)),
)
def test_a_page_shows_what_its_commands_print(page: Path) -> None:
    shown = page.read_text(encoding="utf-8")

    today = sessions.recorded(page)

    assert sessions.steady(shown) == sessions.steady(today), "run scripts/record"


def test_the_picture_shows_what_its_command_prints() -> None:
    shown = picture.PICTURE.read_text(encoding="utf-8")

    assert picture.words(shown) == picture.words(picture.picture()), "run scripts/record"
    assert "docs/assets/demo.svg" in (sessions.ROOT / "README.md").read_text(encoding="utf-8")
