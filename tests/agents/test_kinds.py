"""The table of kinds: open to rows from elsewhere, which say how work is stored, what it needs, and how it runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.candidate import Candidate
from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.context import AgentContext
from llm_orc.agents.kinds import KINDS, added, all_agents, needs_of
from llm_orc.agents.model.caller import LlmCaller
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import AgentPath, item_of, model_key
from llm_orc.agents.spec import AgentGroup, AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.agents.work import ModelRef, ModelWork
from llm_orc.app.access.choices import choices_of
from llm_orc.app.projects.json_schemas import ensemble_schema
from llm_orc.auth.access import Access, Billing
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import InternalError
from llm_orc.providers.base import ModelInterface, ModelRequest, Reply, ReplyObserver, Usage
from llm_orc.runs.recipe import Recipe, decode_recipe, encode_recipe
from llm_orc.settings.model import Settings
from tests.agents.extra_kinds import COUNT, DEBATE, ROUNDS, CountWork, DebateWork, RoundsWork

DEBATER = AgentSpec("debater", DebateWork(ModelWork(ModelRef(provider="a")), ModelWork(ModelRef(provider="b"))))
ENSEMBLE = Ensemble(
    "outer",
    (AgentSpec("counter", CountWork("no")), AgentSpec("panel", RoundsWork(AgentGroup("body", (DEBATER,)), 2))),
)


@pytest.fixture
def kinds() -> Iterator[None]:
    with added(COUNT, ROUNDS, DEBATE):
        yield


class Quiet:
    """An `AgentObserver` that is told nothing that matters."""

    def calling(self, model: str, access: Access) -> None: ...
    def switched(self, model: str, access: Access, because: object) -> None: ...
    def notice(self, message: str) -> None: ...
    def waiting(self, for_plan: object) -> None: ...
    def wait_over(self) -> None: ...
    def items(self, total: int) -> None: ...
    def round(self, number: int, total: int) -> None: ...
    def text(self, piece: str) -> None: ...
    def retrying(self, error: object, attempt: int, delay_s: float) -> None: ...
    def rejected(self, call: object, error: object, attempt: int) -> None: ...


class Echo(ModelInterface):
    provider = "pretend"

    def __init__(self, name: str) -> None:
        self.name = name

    async def reply(self, request: ModelRequest, observer: ReplyObserver | None = None) -> Reply:
        return Reply(f"{self.name} on: {request.messages[-1].content}", self.name, Usage(1, 1))


def turn_of(spec: AgentSpec, path: AgentPath | None = None) -> AgentTurn:
    return AgentTurn(path or AgentPath(spec.name), spec, "no means no", Quiet())


OWN = list(KINDS)


def test_rows_are_there_for_as_long_as_they_were_added() -> None:
    with added(COUNT):
        assert list(KINDS) == [*OWN, "count_of"]

    assert list(KINDS) == OWN


@pytest.mark.parametrize("key", ["model", "script", "count_of"])
def test_a_key_belongs_to_one_kind(key: str) -> None:
    with pytest.raises(ValueError, match="already"), added(COUNT, replace(COUNT, key=key)):
        pass

    assert list(KINDS) == OWN


def test_work_of_a_kind_that_is_not_there_is_an_error_of_ours() -> None:
    with pytest.raises(InternalError, match="count_of"):
        needs_of(CountWork("no"))


@pytest.mark.usefixtures("kinds")
def test_a_recipe_keeps_work_of_all_kinds_also_within_others() -> None:
    recipe = Recipe(ENSEMBLE, "the task", {})

    assert decode_recipe(encode_recipe(recipe)) == recipe


@pytest.mark.usefixtures("kinds")
def test_what_a_run_needs_is_found_within_agents_too() -> None:
    assert [path for path, _ in all_agents(ENSEMBLE)] == ["counter", "panel", "panel/debater"]
    choices = choices_of(ENSEMBLE, Settings())
    assert {key: [choice.provider for choice in found] for key, found in choices.items()} == {
        "panel/debater": ["a"],
        "panel/debater#2": ["b"],
    }


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize("round_number", [0, 1])
async def test_each_model_that_an_agent_needs_is_asked_in_every_round(round_number: int) -> None:
    access = Access("pretend", "none", Billing.LOCAL, "none", "http://127.0.0.1:1")
    candidates = {
        model_key(AgentPath("panel/debater"), number): [
            Candidate(ModelChoice("pretend", name, "user"), Echo(name), access, lambda _model, _usage: 0.0)
        ]
        for number, name in enumerate(["one", "two"])
    }
    path = AgentPath(f"{item_of(AgentPath('panel'), round_number)}/debater")

    output = await AgentCaller(LlmCaller(candidates), rehearsal=False)(turn_of(DEBATER, path))

    assert output.text == "two on: Criticise: one on: no means no"
    assert [call.model for call in output.calls] == ["one", "two"]


async def never(turn: AgentTurn) -> AgentOutput:
    raise AssertionError(f"a model is asked by {turn.path}")


@pytest.mark.parametrize(("rehearsal", "text"), [(False, "`no`: 2"), (True, "would count `no`")])
async def test_a_rehearsal_does_what_the_row_says(rehearsal: bool, text: str) -> None:
    async def rehearse(_context: AgentContext, work: CountWork) -> AgentOutput:
        return AgentOutput(f"would count `{work.word}`", ())

    with added(replace(COUNT, rehearse=rehearse)):
        output = await AgentCaller(never, rehearsal=rehearsal)(turn_of(ENSEMBLE.agents[0]))

    assert output.text == text


@pytest.mark.usefixtures("kinds")
async def test_nothing_runs_within_an_agent_that_the_plan_gives_nothing() -> None:
    with pytest.raises(InternalError, match="nothing can run"):
        await AgentCaller(never, rehearsal=False)(turn_of(ENSEMBLE.agents[1]))


@pytest.mark.usefixtures("kinds")
def test_keys_of_all_kinds_are_in_the_schema_and_none_is_required_of_others() -> None:
    agents = Draft202012Validator(ensemble_schema())

    assert agents.is_valid(
        {"name": "e", "agents": [{"name": "a", "count_of": "no"}, {"name": "b", "temperature": 1}]}
    )
    assert not agents.is_valid({"name": "e", "agents": [{"name": "a", "count_of": 3}]})
