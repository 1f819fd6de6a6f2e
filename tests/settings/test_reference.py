"""The reference must name every setting and every variable, and what a project may set of them without trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_orc.settings.field import Field, Fields, Right
from llm_orc.settings.fields import SECTIONS, plain_fields
from llm_orc.settings.oauth_fields import NOTICE_FIELDS, OAUTH_FIELDS

_PAGE = (Path(__file__).parents[2] / "docs/reference/configuration.md").read_text(encoding="utf-8")
_SETTINGS = [(section, key) for section, rows in SECTIONS.items() for key in rows.fields]
_GROUPS = {"providers.<name>.oauth`": OAUTH_FIELDS, "providers.<name>.oauth.notice`": NOTICE_FIELDS}


def part(section: str) -> str:
    """The section of that name; a prefix finds the first that begins so."""
    return _PAGE.split(f"\n## `{section}")[1].split("\n## ")[0]


@pytest.mark.parametrize(("heading", "fields"), _GROUPS.items())
def test_a_group_of_settings_has_a_section_with_its_keys_and_no_others(heading: str, fields: Fields) -> None:
    section = part(heading)

    rows = {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}
    assert rows == set(fields)
    assert section.splitlines()[0].endswith("¹")


@pytest.mark.parametrize(("section", "key"), _SETTINGS)
def test_every_setting_has_a_row_in_its_section(section: str, key: str) -> None:
    assert f"\n| `{key}` " in part(section)


@pytest.mark.parametrize("section", [*SECTIONS])
def test_no_row_is_about_a_setting_that_does_not_exist(section: str) -> None:
    rows = {line.split("`")[1] for line in part(section).splitlines() if line.startswith("| `")}

    assert rows == set(SECTIONS[section].fields)


@pytest.mark.parametrize(
    ("variable", "path"), [(row.variable, path) for path, row in plain_fields() if row.variable]
)
def test_every_variable_stands_beside_its_setting(variable: str, path: tuple[str, str]) -> None:
    [row] = [line for line in part(path[0]).splitlines() if line.startswith(f"| `{path[1]}` ")]

    assert f"`{variable}`" in row


_WITHOUT_TRUST: dict[Right, str] = {
    "counts": "yes",
    "chooses": "where it is free",
    "lowers": "lower only",
    "trust": "no",
    "never": "never",
}


@pytest.mark.parametrize(("section", "key"), _SETTINGS)
def test_what_a_project_may_set_without_trust_stands_in_the_row_or_the_heading(section: str, key: str) -> None:
    right = SECTIONS[section].fields[key].right
    heading = part(section).splitlines()[0]
    [row] = [line for line in part(section).splitlines() if line.startswith(f"| `{key}` ")]

    if heading.endswith("¹"):
        assert right == "trust"
    else:
        assert row.split("|")[2].strip() == _WITHOUT_TRUST[right]


@pytest.mark.parametrize("row", [*OAUTH_FIELDS.values(), *NOTICE_FIELDS.values()])
def test_no_part_of_a_sign_in_counts_without_trust(row: Field) -> None:
    assert row.right == "trust"
