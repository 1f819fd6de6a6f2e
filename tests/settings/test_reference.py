"""The reference must name every setting and every variable, and what a project may set of them without trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_orc.settings.rights import Right, right_of
from llm_orc.settings.schema import GROUPS, NAMED, PLAIN
from llm_orc.settings.surroundings import VARIABLES
from llm_orc.storage.yaml_fields import Kind

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


_WITHOUT_TRUST: dict[Right, str] = {
    "words": "yes",
    "chooses": "where it is free",
    "lowers": "lower only",
    "trust": "no",
    "users": "never",
}


@pytest.mark.parametrize(("section", "key"), _SETTINGS)
def test_what_a_project_may_set_without_trust_stands_in_the_row_or_the_heading(section: str, key: str) -> None:
    right = right_of({**NAMED, **PLAIN}[section][key])
    heading = part(section).splitlines()[0]
    [row] = [line for line in part(section).splitlines() if line.startswith(f"| `{key}` ")]

    if heading.endswith("¹"):
        assert right == "trust"
    else:
        assert row.split("|")[2].strip() == _WITHOUT_TRUST[right]


@pytest.mark.parametrize("kind", [kind for kinds in GROUPS.values() for kind in kinds.values()])
def test_no_part_of_a_sign_in_counts_without_trust(kind: Kind) -> None:
    assert right_of(kind) == "trust"
