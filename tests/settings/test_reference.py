"""The reference must name every setting and every variable, and mark what a project may not set."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_orc.settings.guard import is_guarded
from llm_orc.settings.schema import GROUPS, NAMED, PLAIN
from llm_orc.settings.surroundings import VARIABLES

_PAGE = (Path(__file__).parents[2] / "docs/reference/configuration.md").read_text(encoding="utf-8")
_SETTINGS = [(section, key) for section, kinds in {**NAMED, **PLAIN}.items() for key in kinds]
_GROUP_HEADINGS = {"oauth": "providers.<name>.oauth`", "notice": "providers.<name>.oauth.notice`"}


def part(section: str) -> str:
    """The section of that name; a prefix finds the first that begins so."""
    return _PAGE.split(f"\n## `{section}")[1].split("\n## ")[0]


@pytest.mark.parametrize(("group", "kinds"), GROUPS.items())
def test_a_group_of_settings_has_a_section_with_its_keys_and_no_others(
    group: str, kinds: dict[str, object]
) -> None:
    section = part(_GROUP_HEADINGS[group])

    rows = {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}
    assert rows == set(kinds)
    assert section.splitlines()[0].endswith("¹")


@pytest.mark.parametrize(("section", "key"), _SETTINGS)
def test_every_setting_has_a_row_in_its_section(section: str, key: str) -> None:
    assert f"\n| `{key}` " in part(section)


@pytest.mark.parametrize("section", [*NAMED, *PLAIN])
def test_no_row_is_about_a_setting_that_does_not_exist(section: str) -> None:
    rows = {line.split("`")[1] for line in part(section).splitlines() if line.startswith("| `")}

    assert rows == set({**NAMED, **PLAIN}[section])


@pytest.mark.parametrize(("variable", "path"), VARIABLES.items())
def test_every_variable_stands_beside_its_setting(variable: str, path: tuple[str, str]) -> None:
    [row] = [line for line in part(path[0]).splitlines() if line.startswith(f"| `{path[1]}` ")]

    assert f"`{variable}`" in row


@pytest.mark.parametrize(("section", "key"), _SETTINGS)
def test_what_a_project_may_not_set_is_marked(section: str, key: str) -> None:
    path = (section, "name", key) if section in NAMED else (section, key)
    heading = part(section).splitlines()[0]
    marked = heading.endswith("¹") or f"| `{key}` ¹ |" in part(section)

    assert marked == is_guarded(path)
