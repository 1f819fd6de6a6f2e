"""Programs whose output has to satisfy a schema: real processes, and what is known of them before they run."""

from __future__ import annotations

import json
import sys

import pytest

from llm_orc.agents.uses.graph import output_schema
from llm_orc.app.history.runs import get_run
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import EnsembleInvalid
from llm_orc.schemas.shape import field_names
from tests.app.conftest import Workspace, run

FOUND = {"found": [{"name": "string", "size": {"type": "integer", "minimum": 1}}]}


def program(name: str, said: object, **more: object) -> dict[str, object]:
    """An agent that prints what it is told to: `said` as JSON, or a text as it is."""
    text = said if isinstance(said, str) else json.dumps(said)
    return {"name": name, "script": [sys.executable, "-c", f"print({text!r})"], **more}


async def test_the_output_is_data_that_others_refer_to(workspace: Workspace) -> None:
    found = {"found": [{"name": "a", "size": 1}, {"name": "b", "size": 2}]}
    workspace.ensemble(
        "e",
        program("list", found, schema=FOUND),
        program("each", "seen", fan_out={"over": "${list.found}"}, when="size(${list.found}) > 1"),
    )

    result, _ = await run(workspace.app(), "e", "x")

    assert (result["list"].data, result["list"].validation) == (found, "")
    assert result["each"].data == ["seen", "seen"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"found": [{"name": "a", "size": 0}]}, "does not satisfy its schema: `found[0].size`: 0 is less than"),
        ({"found": [], "more": 1}, "does not satisfy its schema: Additional properties are not allowed"),
        ("no JSON", "is not JSON; it begins with `no JSON`"),
        ({"success": False, "error": "no disk"}, "does not satisfy its schema: Additional properties"),
    ],
)
async def test_a_wrong_output_fails_the_agent_and_says_where(workspace: Workspace, said: object, why: str) -> None:
    workspace.ensemble("e", program("list", said, schema=FOUND))

    result, _ = await run(workspace.app(), "e", "x")

    error = result["list"].error
    assert error is not None
    assert f"the output of agent `list` {why}" in error.message
    assert error.payload == (said if isinstance(said, dict) else None)
    assert get_run(workspace.app(), "last").result == result


async def test_the_answer_of_a_rehearsal_satisfies_the_schema(workspace: Workspace) -> None:
    workspace.ensemble(
        "e", program("list", "", schema=FOUND), program("next", "", when="${list.found.0.size} >= 1")
    )

    result, _ = await run(workspace.app(), "e", "x", rehearse=True)

    assert [agent.status for agent in result.agents] == ["completed", "completed"]


async def test_the_schema_may_be_a_file(workspace: Workspace) -> None:
    workspace.write(".config/llm-orc/ensembles/found.yaml", FOUND)
    workspace.ensemble("e", program("list", {"found": [{}]}, schema="found.yaml"))

    result, _ = await run(workspace.app(), "e", "x")

    assert result["list"].error is not None
    assert '"name" is a required property' in result["list"].error.message


def test_its_fields_are_columns_of_a_batch() -> None:
    text = "name: e\nagents:\n  - {name: a, script: [ls], schema: {name: string, size?: integer}}\n"

    assert field_names(output_schema(parse_ensemble_text(text).ensemble)) == ("name", "size")


@pytest.mark.parametrize(
    ("rest", "line", "message", "hint"),
    [
        (
            "{name: b, prompt: '${a.foud}'}",
            4,
            "names `foud`, which the schema of agent `a` does not have",
            "`found`",
        ),
        ("{name: b, when: \"${a.kind} == 'c'\"}", 4, "", ""),
        ("{name: b, when: \"${a.found} == 'c'\"}", 4, "", ""),
    ],
)
def test_what_refers_to_it_is_checked_by_it(rest: str, line: int, message: str, hint: str) -> None:
    schema = "{found: [{name: string}], kind: [x, y]}"
    text = f"name: e\nagents:\n  - {{name: a, script: [ls], schema: {schema}}}\n  - {rest}\n"

    with pytest.raises(EnsembleInvalid) as raised:
        parse_ensemble_text(text)

    (problem,) = raised.value.problems
    assert (problem.line, message in problem.message, hint in (problem.hint or "")) == (line, True, True)


@pytest.mark.parametrize(
    ("keys", "column", "message"),
    [
        ("schema: {a: strng}, output: json", 38, "the schema of agent `a` has `strng`, which is no type"),
        ("schema: {a: string}, output: text", 50, "agent `a` has a `schema`, and its `output` is text"),
    ],
)
def test_what_is_wrong_with_it_has_its_place(keys: str, column: int, message: str) -> None:
    with pytest.raises(EnsembleInvalid) as raised:
        parse_ensemble_text(f"name: e\nagents:\n  - {{name: a, script: [ls], {keys}}}\n")

    (problem,) = raised.value.problems
    assert (problem.column, message in problem.message) == (column, True), problem
