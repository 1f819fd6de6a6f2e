"""The tables of keys in the reference of ensembles: made from the rows."""

from __future__ import annotations

from pathlib import Path

import pytest

import reference_tables
from llm_orc.agents.approval.fields import QUESTION_FIELDS
from llm_orc.agents.kinds import KINDS
from llm_orc.agents.loop.fields import LOOP_FIELDS
from llm_orc.agents.model.fields import MODEL_FIELDS
from llm_orc.agents.script.fields import SCRIPT_FIELDS
from llm_orc.agents.spec import Source
from llm_orc.ensembles.fields import ENSEMBLE_FIELDS, FRAME_FIELDS
from llm_orc.ensembles.inputs import INPUT_FIELDS
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import EnsembleInvalid
from llm_orc.settings.field import Field
from llm_orc.storage.field_types import text, whole_number

_PAGE = (Path(__file__).parents[2] / "docs/reference/ensembles.md").read_text(encoding="utf-8")


def test_each_group_of_keys_has_its_table() -> None:
    assert reference_tables.names_in(_PAGE) == [
        "keys of ensemble",
        "keys of input",
        "keys of agent",
        "keys of model",
        "keys of ensemble agent",
        "keys of script agent",
        "keys of dispatch agent",
        "keys of loop agent",
        "keys of loop",
        "keys of approval agent",
        "keys of approval",
    ]


def test_a_row_is_for_each_key_and_no_other() -> None:
    rows = [line.split("`")[1] for line in _PAGE.splitlines() if line.startswith("| `")]

    assert rows == [
        *ENSEMBLE_FIELDS,
        *INPUT_FIELDS,
        *FRAME_FIELDS,
        *MODEL_FIELDS,
        *KINDS["ensemble"].fields,
        *SCRIPT_FIELDS,
        *KINDS["dispatch"].fields,
        *KINDS["loop"].fields,
        *LOOP_FIELDS,
        *KINDS["approval"].fields,
        *QUESTION_FIELDS,
    ]


def test_every_row_says_what_it_is_in_whole_sentences() -> None:
    rows = [*ENSEMBLE_FIELDS.items(), *INPUT_FIELDS.items(), *FRAME_FIELDS.items(), *MODEL_FIELDS.items()]

    assert [key for key, row in rows if not row.description.endswith(".")] == []


def test_the_example_is_valid() -> None:
    assert parse_ensemble_text(_PAGE.split("```yaml\n")[1].split("```")[0]).ensemble.name == "panel"


def test_a_new_row_is_read_guarded_and_in_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENSEMBLE_FIELDS, "mood", Field(text, "The mood of all agents.", required=True))
    monkeypatch.setitem(FRAME_FIELDS, "rank", Field(whole_number(1), "The agent's rank.", "counts"))
    document = "name: one\nmood: calm\nagents: [{name: a, rank: 3}]\n"

    ours = parse_ensemble_text(document)
    theirs = parse_ensemble_text(document, Source("project", "/clone/one.yaml"))

    assert (ours.values["mood"], ours.values["agents.a.rank"]) == ("calm", 3)
    assert "mood" not in theirs.values
    assert theirs.values["agents.a.rank"] == 3
    assert theirs.ensemble.source is not None
    assert theirs.ensemble.source.withheld == ("mood",)
    assert set(reference_tables.fill(_PAGE).splitlines()) - set(_PAGE.splitlines()) == {
        "| `mood` | text | The mood of all agents. | required | no |  |",
        "| `rank` | a whole number, at least 1 | The agent's rank. |  | yes |  |",
    }
    with pytest.raises(EnsembleInvalid) as missing:
        parse_ensemble_text("name: one\nagents: [{name: a}]\n")
    assert [problem.message for problem in missing.value.problems] == ["the ensemble has no `mood`"]
