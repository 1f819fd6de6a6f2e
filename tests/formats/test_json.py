"""The JSON forms keep their published promise: one valid document, or one valid object a line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llm_orc.agents.path import AgentPath
from llm_orc.engine.events import AgentDelta, RunStopped
from llm_orc.errors import EnsembleInvalid, NotLoggedIn, Problem
from llm_orc.formats.json_lines import event_line
from llm_orc.formats.json_result import as_json, error_json, schema
from tests.formats.conftest import LIMITED
from tests.formats.results import anything, results

if TYPE_CHECKING:
    from llm_orc.engine.events import RunEvent
    from llm_orc.runs.results import RunResult

SCHEMA = Draft202012Validator(json.loads(schema()))


def test_the_schema_is_itself_valid() -> None:
    Draft202012Validator.check_schema(json.loads(schema()))


@given(results())
def test_every_result_fits_the_schema_and_keeps_each_text_as_it_was(result: RunResult) -> None:
    document = json.loads(as_json(result))

    SCHEMA.validate(document)
    assert document["input"] == result.task
    assert {n: a["response"] for n, a in document["results"].items()} == {
        a.name: a.response for a in result.agents
    }
    assert [*document["results"]] == [agent.name for agent in result.agents]


@pytest.mark.parametrize(
    "broken", [{"status": "fine"}, {"schema_version": 2}, {"started_at": 12}, {"error": "no"}]
)
def test_the_schema_refuses_what_is_not_a_result(result: RunResult, broken: dict[str, object]) -> None:
    document = json.loads(as_json(result)) | broken

    assert not SCHEMA.is_valid(document)


def test_totals_are_split_by_who_pays(result: RunResult) -> None:
    totals = json.loads(as_json(result))["totals"]

    assert totals["calls"] == 2
    assert totals["by_billing"]["metered"] == {
        "calls": 1,
        "input_tokens": 1204,
        "output_tokens": 310,
        "cost_usd": 0.0031,
        "known_cost_usd": 0.0031,
        "unknown_costs": 0,
        "calls_without_usage": 0,
    }
    assert totals["by_billing"]["local"]["cost_usd"] == 0


def test_a_skipped_agent_says_whose_answer_it_missed(result: RunResult) -> None:
    agents = json.loads(as_json(result))["results"]

    assert agents["chair"]["skipped_because"] == ["lawyer"]
    assert agents["lawyer"]["skipped_because"] is None
    assert agents["lawyer"]["error"] == {"code": "rate_limited", "message": LIMITED.message, "hint": "wait"}


def test_a_run_that_was_stopped_says_why(result: RunResult) -> None:
    document = json.loads(as_json(replace(result, error=LIMITED)))

    SCHEMA.validate(document)
    assert document["error"]["code"] == "rate_limited"


def test_a_failure_is_one_document_of_the_same_schema() -> None:
    document = json.loads(error_json(NotLoggedIn("no way into `openai`", hint="llm-orc demo")))

    SCHEMA.validate(document)
    assert document == {
        "error": {"code": "not_logged_in", "message": "no way into `openai`", "hint": "llm-orc demo"}
    }


def test_an_invalid_ensemble_lists_every_problem_with_its_place() -> None:
    problems = [Problem("unknown key `promt`", Path("a.yaml"), 3, 5, "Did you mean `prompt`?"), Problem("empty")]

    document = json.loads(error_json(EnsembleInvalid("2 problems", problems=problems)))

    SCHEMA.validate(document)
    assert document["error"]["problems"] == [
        {
            "message": "unknown key `promt`",
            "file": "a.yaml",
            "line": 3,
            "column": 5,
            "hint": "Did you mean `prompt`?",
        },
        {"message": "empty", "file": None, "line": None, "column": None, "hint": None},
    ]


def test_each_event_is_one_line_that_names_its_type(events: tuple[RunEvent, ...]) -> None:
    lines = [event_line(event) for event in (*events, RunStopped(at=1_700_000_005.0, error=LIMITED))]

    assert [json.loads(line)["type"] for line in lines] == [
        "run_started",
        *(["agent_started", "model_chosen"] * 3),
        "agent_delta",
        "model_retrying",
        "model_switched",
        "agent_finished",
        "agent_finished",
        "agent_failed",
        "agent_skipped",
        "run_finished",
        "run_stopped",
    ]
    assert all(len(line.splitlines()) == 1 for line in lines)


def test_times_are_rfc_3339_in_utc(events: tuple[RunEvent, ...]) -> None:
    assert json.loads(event_line(events[0]))["at"] == "2023-11-14T22:13:20.250Z"


def test_only_the_text_that_a_retry_may_void_is_provisional(events: tuple[RunEvent, ...]) -> None:
    provisional = [json.loads(line)["type"] for line in map(event_line, events) if "provisional" in line]

    assert provisional == ["agent_delta"]


@given(anything)
def test_a_delta_keeps_its_text_and_sends_no_control_character(text: str) -> None:
    line = event_line(AgentDelta(agent=AgentPath("a"), text=text))

    assert json.loads(line)["text"] == text
    assert line.isprintable() or all(ord(c) >= 0xA0 for c in line if not c.isprintable())


@given(st.lists(anything, min_size=1))
def test_a_line_is_one_line_for_every_reader(texts: list[str]) -> None:
    for text in texts:
        assert len(event_line(AgentDelta(agent=AgentPath("a"), text=text)).splitlines()) == 1
