"""Columns in system prompts: put in for each row, once; what can't be put in is said before anything is spent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.inputs.spec import InputSpec
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.work import ModelWork
from llm_orc.app.batches.input_lines import Input
from llm_orc.app.batches.inputs import Shaping, make_tasks
from llm_orc.app.batches.placeholders import fill, fill_known, placeholders, rename
from llm_orc.app.batches.prompts import (
    longest_additions,
    prompts_with_columns,
    refuse_mixed,
    with_own_columns,
    with_values,
)
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import InputError
from llm_orc.runs.recipe import Recipe

names = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
values = st.text(max_size=20)


def choice(prompt: str | None, profile: str | None = None) -> ModelChoice:
    return ModelChoice("p", "m", "user", profile=profile, system_prompt=prompt)


def tasks_of(prompt: str, fields: dict[str, str], columns: dict[str, str] | None = None) -> list[str | None]:
    prompts = prompts_with_columns({"judge": (choice(prompt),)})
    shaping = Shaping("{{" + next(iter(fields)) + "}}", columns or {}, prompts=prompts)
    return [task.error for task in make_tasks([Input(1, dict(fields))], shaping)]


def test_an_unknown_column_in_a_prompt_is_an_error_with_the_agent_and_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"the system prompt of agent `judge` has a placeholder `frim`") as caught:
        tasks_of("You know {{frim}}.", {"firm": "Acme", "land": "DE"})

    assert caught.value.hint == "Did you mean `firm`?"


def test_an_input_without_the_column_of_a_prompt_fails_alone() -> None:
    prompts = prompts_with_columns({"judge": (choice("You know {{land}}."),)})
    inputs = [Input(1, {"input": "a", "land": "DE"}), Input(2, {"input": "b"})]

    found = make_tasks(inputs, Shaping(prompts=prompts))

    assert [task.error for task in found] == [None, "line 2: the input has no `land`"]


def test_a_prompt_of_a_profile_and_of_a_fallback_are_looked_at_too() -> None:
    found = prompts_with_columns({"a": (choice("plain"), choice("{{x}}", "cheap")), "b": (choice(None),)})

    assert found == {"the system prompt of agent `a` (profile `cheap`)": "{{x}}"}


def test_a_renamed_column_is_found_under_its_own_name_when_the_row_is_asked() -> None:
    (kept,) = with_own_columns({"a": (choice("Judge {{ firm }} in {{land}}"),)}, {"Name of firm": "firm"})["a"]

    asked = with_values(kept, {"Name of firm": "Acme", "land": "DE"})

    assert asked.system_prompt == "Judge Acme in DE"


def test_the_estimate_counts_what_the_longest_row_puts_in() -> None:
    agents = (
        AgentSpec("a"),
        AgentSpec("b"),
        AgentSpec("c", ModelWork(prompt="${inputs.y}, ${inputs.y}: ${task}")),
    )
    ensemble = Ensemble("e", agents, inputs=(InputSpec("y", default="12345", is_required=False),))
    choices: dict[str, tuple[ModelChoice, ...]] = {
        "a": (choice("{{x}}!"),),
        "b": (choice("none"),),
        "c": (choice("none"),),
    }
    recipe = Recipe(ensemble, "", choices, input_columns={"y": "Y"})

    added = longest_additions(recipe, [{"x": "12"}, {"x": "1" * 105, "Y": "1" * 7}])

    assert added == {"a": 100, "c": 14}


def test_both_spellings_in_one_system_prompt_are_refused() -> None:
    ensemble = Ensemble("e", (AgentSpec("a", ModelWork(system_prompt="{{x}} ${task}")),))

    with pytest.raises(InputError, match=r"both `\{\{x\}\}` and"):
        refuse_mixed(ensemble)


@given(st.dictionaries(names, values, min_size=1, max_size=4), st.text(max_size=10))
def test_values_are_put_in_once_and_never_read_again(fields: dict[str, str], between: str) -> None:
    between = between.replace("{", "").replace("}", "")
    text = between.join("{{ " + name + " }}" for name in fields)
    hostile = {name: value + "{{" + next(iter(fields)) + "}}" for name, value in fields.items()}

    assert fill(text, hostile) == between.join(hostile.values())
    assert placeholders(text) == tuple(fields)


@given(st.text("{} ab\n", max_size=60))
def test_other_braces_stay_as_they_are(text: str) -> None:
    assert fill_known(text, {}) == text
    assert rename(text, {}) == text


def test_very_many_blanks_in_braces_take_no_time() -> None:
    assert placeholders("{{" + " " * 200_000 + "x") == ()
    assert placeholders("{{ " * 50_000) == ()
