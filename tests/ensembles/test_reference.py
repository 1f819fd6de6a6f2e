"""The reference must name every key."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_orc.ensembles.fields import ENSEMBLE_FIELDS, agent_fields
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.ensembles.schema import OTHER_KINDS_OF_AGENT
from llm_orc.settings.field import Fields

_PAGE = (Path(__file__).parents[2] / "docs/reference/ensembles.md").read_text(encoding="utf-8")
_ENSEMBLE_PART, _AGENT_PART = _PAGE.split("## The ensemble")[1].split("## An agent")


@pytest.mark.parametrize("key", ENSEMBLE_FIELDS)
def test_every_key_of_an_ensemble_has_a_row(key: str) -> None:
    assert f"\n| `{key}` |" in _ENSEMBLE_PART


@pytest.mark.parametrize("key", agent_fields())
def test_every_key_of_an_agent_has_a_row(key: str) -> None:
    assert f"\n| `{key}` |" in _AGENT_PART


_WITHOUT_TRUST = {"counts": "yes", "chooses": "where it is free", "lowers": "lower only", "trust": "no"}


@pytest.mark.parametrize(
    ("part", "fields"),
    [(_ENSEMBLE_PART, ENSEMBLE_FIELDS), (_AGENT_PART, agent_fields())],
    ids=["ensemble", "agent"],
)
def test_what_a_project_may_say_without_trust_stands_in_the_row(part: str, fields: Fields) -> None:
    rows = {line.split("`")[1]: line.split("|")[2].strip() for line in part.splitlines() if line.startswith("| `")}

    assert rows == {key: _WITHOUT_TRUST[row.right] for key, row in fields.items()}


@pytest.mark.parametrize("key", OTHER_KINDS_OF_AGENT)
def test_every_unsupported_key_is_named(key: str) -> None:
    assert f"`{key}`" in _AGENT_PART


def test_no_row_is_about_a_key_that_does_not_exist() -> None:
    rows = [line.split("`")[1] for line in _PAGE.splitlines() if line.startswith("| `")]

    assert set(rows) == {*ENSEMBLE_FIELDS, *agent_fields()}


def test_the_example_is_valid() -> None:
    assert parse_ensemble_text(_PAGE.split("```yaml\n")[1].split("```")[0]).ensemble.name == "panel"
