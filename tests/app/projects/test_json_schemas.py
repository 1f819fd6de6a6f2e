"""The published schemas say of a document what our readers say of it.

Beyond a schema: agents' names that come twice, dependencies that don't exist, circles, letters that a name may not
have, a whole number that is written as `1.0`, credentials among headers and options, profiles that don't exist, what
stands in conditions, and the agent that answers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import reference_tables
from llm_orc.agents.kind import Kind
from llm_orc.agents.kinds import added
from llm_orc.agents.model.fields import MODEL_FIELDS
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.work import Work
from llm_orc.app.projects.json_schemas import config_schema, ensemble_schema, schema_text
from llm_orc.catalog.table import PROVIDERS
from llm_orc.ensembles.fields import ENSEMBLE_FIELDS, FRAME_FIELDS
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.ensembles.surroundings import PACKAGED
from llm_orc.errors import EnsembleInvalid, SettingsError
from llm_orc.settings.field import Field
from llm_orc.settings.fields import SECTIONS
from llm_orc.settings.load import load_settings
from llm_orc.storage.field_types import text, whole_number
from llm_orc.storage.paths import Paths
from tests.examples import many

ENSEMBLE = Draft202012Validator(ensemble_schema())
CONFIG = Draft202012Validator(config_schema())

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 5),
    st.floats(-1.5, 2.5).filter(lambda x: not x.is_integer()),
    st.sampled_from(["", "a", "b", "all", "any", "json", "text", "oauth", "error", "https://host/v1", "KEY"]),
)
values: st.SearchStrategy[object] = st.one_of(
    scalars,
    st.lists(st.sampled_from(["a", "b", "api-key", "oauth"]), max_size=3),
    st.just({}),
    st.just({"k": "v"}),
)


def agents() -> st.SearchStrategy[dict[str, Any]]:
    keys = st.sampled_from([*FRAME_FIELDS, *MODEL_FIELDS, "unknown_key"])
    beyond = ("name", "depends_on", "when")
    return st.dictionaries(keys.filter(lambda key: key not in beyond), values, max_size=4)


@st.composite
def ensembles(draw: st.DrawFn) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": "panel",
        "agents": [
            {"name": "a", **draw(agents())},
            {
                "name": "b",
                "depends_on": draw(
                    st.sampled_from(
                        [None, [], "a", ["a"], [{"agent_name": "a"}], [{"agent_name": "a", "x": 1}], 3, [""]]
                    )
                ),
                **draw(agents()),
            },
        ],
    }
    beyond = ("name", "agents", "answer", "fails_when")
    keys = st.sampled_from([*ENSEMBLE_FIELDS, "unknown_key"]).filter(lambda key: key not in beyond)
    document |= draw(st.dictionaries(keys, scalars, max_size=3))
    match draw(st.integers(0, 9)):
        case 0:
            document["agents"] = draw(st.sampled_from([None, [], {}, "a", [3]]))
        case 1:
            document["name"] = draw(st.sampled_from([None, "", 3, "a/b", "~a", "x" * 129]))
        case 2:
            del document["name"]
        case _:
            pass
    return document


def is_read(document: object) -> bool:
    """Whole: an editor marks what is ignored, too."""
    try:
        return not parse_ensemble_text(yaml.safe_dump(document)).ignored
    except EnsembleInvalid:
        return False


@pytest.mark.parametrize(
    "more", [{}, {"depends_on": []}, {"depends_on": ["a"], "sees": "all"}, {"depends_on": ["a"]}]
)
def test_a_key_of_an_answer_is_all_that_an_agent_is_given(more: dict[str, Any]) -> None:
    document = {"name": "panel", "agents": [{"name": "a"}, {"name": "b", "input_key": "k", **more}]}

    assert ENSEMBLE.is_valid(document) == is_read(document) == (more == {"depends_on": ["a"]})


@settings(max_examples=many(400), deadline=None)
@given(ensembles())
def test_an_ensemble_fits_the_schema_if_and_only_if_it_can_be_read(document: dict[str, Any]) -> None:
    assert ENSEMBLE.is_valid(document) == is_read(document), document


QUOTING: dict[str, Any] = {"samples": 3, "schema": {"q": "string", "l": ["string"]}}
SEVERAL: dict[str, list[Any]] = {
    "fan_out": [
        *(None, False, {}, {"over": None}, {"over": "x"}, {"over": "${}"}, {"over": "${a} ${a}"}),
        *(
            {"over": [1], key: value}
            for key in ("as", "max", "max_concurrent")
            for value in (None, 0, 1, "_x", "a b")
        ),
        *({"over": [1], "as": value} for value in ("task", "inputs", "index", "round", "item")),
        *({"over": [1], "on_item_failure": value} for value in (None, "keep", "skip")),
    ],
    "samples": [None, 1, 2, "3", {}, {"max": 2}, {"max": None}, {"max": 3, "ahead": None}, {"ahead": 1}],
    "vote": [
        *(None, "whole", "q", "a b", "", "q.", "q[0]", 3, {}, {"choose": None}, {"choose": " "}, {"by": "x"}),
        *({"choose": "default", "by": value} for value in (None, "", "short", "${task}", "$${x}", 3)),
    ],
    "evidence": [
        *({field: "${task}"} for field in ("q", "", "q x", "q.")),
        *({"q": value} for value in ("x", "${task} ${task}", "${}", [], ["${task}"], None, {}, {"in": None})),
        *({"l": {"in": " ${task} ", "otherwise": value}} for value in ("drop", "fail", None, "keep")),
    ],
    "schema": [{}, [], "", {"a": "string"}, ["string"], 3],
    "approval": [None, "", "x", {}, {"message": ""}, {"message": "x", "choices": ["a" * 61, "b"]}],
}


@pytest.mark.parametrize("key", SEVERAL)
def test_what_stands_in_a_key_fits_the_schema_if_and_only_if_it_can_be_read(key: str) -> None:
    beside = QUOTING if key in ("vote", "evidence") else {}
    for value in SEVERAL[key]:
        document = {"name": "e", "agents": [{"name": "a"}, {"name": "b", **beside, key: value}]}

        assert ENSEMBLE.is_valid(document) == is_read(document), value


@dataclass(frozen=True, slots=True)
class Shout(Work):
    """Work of a kind that only this test knows."""

    words: str
    kind: str = field(default="shout", init=False, repr=False)


async def shouted(_context: object, work: Shout) -> AgentOutput:
    return AgentOutput(work.words.upper(), calls=())


SHOUT = Kind(
    "shout",
    Shout,
    fields={"shout": Field(text, "What to shout."), "times": Field(whole_number(1), "How often.")},
    read=lambda keys: Shout(keys.values.get("shout", "")),
    run=shouted,
)


@pytest.mark.parametrize(
    ("agent", "is_good"),
    [
        ({"shout": "hey", "times": 2, "timeout_seconds": 3, "depends_on": []}, True),
        ({"shout": 3}, False),
        ({"shout": "hey", "model": "m"}, False),
        ({"times": 2}, False),
        ({"model_profile": "default"}, True),
    ],
)
def test_an_agent_of_another_kind_has_the_keys_of_its_kind(agent: dict[str, Any], *, is_good: bool) -> None:
    document = {"name": "one", "agents": [{"name": "a", **agent}]}

    with added(SHOUT):
        schema = Draft202012Validator(ensemble_schema())
        assert (schema.is_valid(document), is_read(document)) == (is_good, is_good)
        table = reference_tables.all_tables()["keys of shout agent"]()

    assert "| `times` | a whole number, at least 1 | How often. |" in table
    assert not ENSEMBLE.is_valid({"name": "one", "agents": [{"name": "a", "shout": "hey"}]})


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    section = draw(st.sampled_from([*SECTIONS, "some_other_section"]))
    rows: Collection[str] = SECTIONS[section].fields if section in SECTIONS else ("x",)
    # Free mappings, a schema, and a name that must be that of another entry: no schema can say so.
    beyond = ("oauth", "options", "headers", "parameters", "fallback_model_profile")
    keys = st.sampled_from([*rows, "unknown_key"]).filter(lambda key: key not in beyond)
    entry = draw(st.one_of(st.none(), st.just(3), st.dictionaries(keys, values, max_size=3)))
    return {section: {"name": entry} if section in SECTIONS and SECTIONS[section].is_named else entry}


@settings(max_examples=many(400), deadline=None)
@given(document=configurations())
def test_settings_fit_the_schema_if_and_only_if_they_can_be_read(
    document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / "config.yaml").write_text(yaml.safe_dump(document))
    try:
        read = load_settings(Paths(home, home / "state", home / "cache"), home, {}, home=home)
        is_good = not read.broken_profiles and not any("has the key" in notice.message for notice in read.notices)
    except SettingsError:
        is_good = False

    assert CONFIG.is_valid(document) == is_good, document


@pytest.mark.parametrize("file", sorted(PACKAGED.glob("*.yaml")), ids=lambda file: file.stem)
def test_what_comes_along_fits(file: Path) -> None:
    assert list(ENSEMBLE.iter_errors(yaml.safe_load(file.read_text()))) == []


def test_the_packaged_settings_fit() -> None:
    file = Path(__file__).parents[3] / "src" / "llm_orc" / "settings" / "packaged.yaml"
    presets = {name: {"oauth": dict(row.oauth)} for name, row in PROVIDERS.items() if row.oauth}

    assert list(CONFIG.iter_errors(yaml.safe_load(file.read_text()))) == []
    assert list(CONFIG.iter_errors({"providers": presets})) == []


@pytest.mark.parametrize("name", ["ensemble", "config", "result"])
def test_each_is_a_schema_and_in_the_form_that_is_printed(name: Any) -> None:
    Draft202012Validator.check_schema(yaml.safe_load(schema_text(name)))
