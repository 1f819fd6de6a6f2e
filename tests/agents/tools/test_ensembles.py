"""Ensembles as tools: their inputs are the arguments, their answer is the result, and they are durable by path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llm_orc.agents.spec import AgentSpec, Source
from llm_orc.agents.work import ModelWork
from llm_orc.engine.events import AgentFinished, AgentStarted, ToolFinished
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.ensembles.nested import Nested, with_nested
from llm_orc.ensembles.parse import ParsedEnsemble, parse_ensemble_text
from llm_orc.errors import EnsembleNotFound, ProviderOverloaded
from llm_orc.providers.parts import ToolAnswer
from llm_orc.runs.recipe import Recipe, decode_recipe, encode_recipe, identity_of
from tests.agents.tools.conftest import WrittenModel, call, few_tools, run, state_of
from tests.agents.tools.test_resume import folded

if TYPE_CHECKING:
    from tests.engine.conftest import KeptEvents

LOOK_UP = """
name: look-up
description: Looks a word up.
inputs:
  word: {type: string, description: The word.}
  most: {type: integer, default: 3}
agents:
  - name: finder
    prompt: Look up ${inputs.word}, at most ${inputs.most} times.
"""
CHAIR = """
name: chair
agents:
  - name: a
    tools: [ensemble.look-up]
"""


def nested(*texts: str) -> Nested:
    files = [parse_ensemble_text(text, Source("user", f"/{i}.yaml")) for i, text in enumerate(texts)]
    by_name = {file.ensemble.name: file for file in files}

    def find(name: str, _within: ParsedEnsemble) -> ParsedEnsemble:
        if name not in by_name:
            raise EnsembleNotFound(f"no ensemble is named `{name}`")
        return by_name[name]

    return with_nested(files[0], find)


def spec() -> AgentSpec:
    found = nested(CHAIR, LOOK_UP)
    assert found.problems == ()
    return found.ensemble.agents[0]


def paths(sink: KeptEvents) -> list[str]:
    return [e.agent for e in sink.events if isinstance(e, AgentStarted)]


async def test_a_model_runs_an_ensemble_with_the_inputs_that_it_writes() -> None:
    asked = [call("ensemble_look-up", {"word": "ort"}, "1"), call("ensemble_look-up", {"word": "wort"}, "2")]
    model = WrittenModel(asked, "A place.", "A word.", "Done.")

    sink = await run(model, few_tools({}), spec(), candidates_of=("a", "a/look-up/finder"))

    assert paths(sink)[1:3] == ["a[0]/look-up", "a[1]/look-up"]
    assert sorted(paths(sink)) == [
        "a",
        "a[0]/look-up",
        "a[0]/look-up/finder",
        "a[1]/look-up",
        "a[1]/look-up/finder",
    ]
    offered = model.requests[0].tools[0]
    assert (offered.description, offered.parameters["required"]) == ("Looks a word up.", ["word"])
    assert all(word in r.messages[0].content for word, r in zip(("ort", "wort"), model.requests[1:3], strict=True))
    assert [a.text for a in model.requests[-1].messages[-1].results] == ["A place.", "A word."]
    assert state_of(sink).result().total.calls == 4


@pytest.mark.parametrize(
    "arguments", [{}, {"word": 1}, {"word": "x", "most": "many"}, {"word": "x", "others": 1}], ids=str
)
async def test_inputs_that_the_ensemble_does_not_take_are_told_to_the_model(arguments: dict[str, object]) -> None:
    model = WrittenModel([call("ensemble_look-up", arguments)], "Sorry.")  # type: ignore[arg-type]

    sink = await run(model, few_tools({}), spec(), candidates_of=("a", "a/look-up/finder"))

    assert paths(sink) == ["a"]
    assert [e.tool.outcome for e in sink.events if isinstance(e, ToolFinished)] == ["refused"]


async def test_an_ensemble_that_fails_is_a_result() -> None:
    model = WrittenModel([call("ensemble_look-up", {"word": "x"})], ProviderOverloaded("busy"), "I see.")

    await run(model, few_tools({}), spec(), candidates_of=("a", "a/look-up/finder"))

    [answer] = model.requests[-1].messages[-1].results
    assert isinstance(answer, ToolAnswer)
    assert answer.is_error
    assert "busy" in answer.text


async def test_what_has_ended_within_an_interrupted_call_is_not_asked_again() -> None:
    model = WrittenModel([call("ensemble_look-up", {"word": "x"})], "A place.", "Done.")
    whole = (await run(model, few_tools({}), spec(), candidates_of=("a", "a/look-up/finder"))).events
    last = next(
        i for i, e in enumerate(whole) if isinstance(e, AgentFinished) and e.agent == "a[0]/look-up/finder"
    )
    state = folded(whole[: last + 1])
    again = WrittenModel("Done.")

    sink = await run(
        again,
        few_tools({}),
        spec(),
        before=state.before,
        done=state.outputs,
        candidates_of=("a", "a/look-up/finder"),
    )

    assert [a.text for a in again.requests[0].messages[-1].results] == ["A place."]
    for event in sink.events:
        state.apply(event)
    assert (state.result().answer, state.result().total.calls) == ("Done.", 3)


def test_what_a_model_writes_becomes_no_command() -> None:
    runs = LOOK_UP.replace(
        "prompt: Look up ${inputs.word}, at most ${inputs.most} times.", "script: ['true', '${inputs.word}']"
    )

    [problem] = nested(CHAIR, runs).problems

    assert problem.message.startswith("agent `a` gives an answer to `look-up`, where agent `look-up/finder`:")


def test_ensembles_that_call_each_other_are_refused() -> None:
    [problem] = nested(CHAIR, LOOK_UP.replace("    prompt", "    tools: [ensemble.chair]\n    prompt")).problems

    assert "ensembles run each other: `chair → look-up → chair`" in problem.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LOOK_UP.replace("type: string,", "type: file,"), "its input `word` is a file, which no model can give"),
        ("name: look-up\ntask: none\nagents: [{name: x, prompt: Hello.}]", "it has neither `inputs` nor a task"),
        ("name: other\nagents: [{name: x}]", "no ensemble is named `look-up`"),
    ],
)
def test_what_can_not_be_called_is_a_problem_of_the_file(text: str, message: str) -> None:
    [problem] = nested(CHAIR, text).problems

    assert message in problem.message
    assert problem.line == 5


def test_an_ensemble_without_inputs_is_given_a_task() -> None:
    found = nested(CHAIR, "name: look-up\nagents: [{name: x}]").ensemble.agents[0].work
    assert isinstance(found, ModelWork)

    recipe = Recipe(Ensemble("e", (AgentSpec("a", found),)), "", {})
    read = decode_recipe(encode_recipe(recipe))

    assert read.ensemble.agents[0].work == found
    assert identity_of(read) == identity_of(recipe)
    assert identity_of(recipe) != identity_of(Recipe(Ensemble("e", (AgentSpec("a"),)), "", {}))
