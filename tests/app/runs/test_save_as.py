"""`save_as`: the answer of an agent is also a file below the working directory."""

from __future__ import annotations

import json
import sys

import pytest

from llm_orc.app.history.fork import ForkOptions, fork_run, origin_of
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.errors import EnsembleInvalid, NotTrusted
from llm_orc.formats.json_result import as_json
from llm_orc.formats.sentences import agent_figures
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, local, on_sandbox, run


@pytest.fixture
def place(workspace: Workspace, sandbox: Sandbox) -> Workspace:
    workspace.settings(on_sandbox(sandbox))
    return workspace


def script(name: str, code: str, **more: object) -> dict[str, object]:
    return {"name": name, "script": [sys.executable, "-c", code], **more}


async def test_a_text_is_written_as_it_is_and_the_result_says_where(place: Workspace) -> None:
    place.ensemble("one", local("a", save_as="out/${inputs.name}.md"), inputs={"name": "string"})

    result, _ = await run(place.app(), "one", inputs={"name": "summary"})

    assert (place.project / "out/summary.md").read_text() == result["a"].response
    assert json.loads(as_json(result))["results"]["a"]["saved_as"] == "out/summary.md"
    assert "written to out/summary.md" in agent_figures(result["a"])


async def test_items_are_written_by_their_numbers_and_data_as_json(place: Workspace) -> None:
    code = "import json; print(json.dumps({'n': 1}))"
    each = {"fan_out": {"over": ["x", "y"]}, "save_as": "out/${index}.json", "output": "json"}
    place.ensemble("one", script("a", code, **each))

    await run(place.app(), "one")

    assert [(place.project / f"out/{i}.json").read_text() for i in (0, 1)] == ['{\n  "n": 1\n}\n'] * 2


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "C:x", "nul", ".git/x"])
async def test_an_input_that_leads_elsewhere_fails_the_agent_before_it_is_asked(
    place: Workspace, sandbox: Sandbox, name: str
) -> None:
    place.ensemble("one", local("a", save_as="${inputs.name}"), inputs={"name": "string"})

    result, _ = await run(place.app(), "one", inputs={"name": name})

    assert result["a"].error is not None
    assert result["a"].error.code == "save_failed"
    assert sandbox.request_count == 0


async def test_an_answer_whose_file_could_not_be_written_is_kept_and_written_later(
    place: Workspace, sandbox: Sandbox
) -> None:
    in_the_way = "import pathlib; pathlib.Path('out.md').mkdir(); print('said')"
    place.ensemble("one", script("a", in_the_way, save_as="out.md", cwd=str(place.project)), local("b"))

    first, _ = await run(place.app(), "one")
    assert first["a"].error is not None
    assert (first["a"].status, first["a"].error.code, first.exit_code) == ("failed", "save_failed", 1)

    (place.project / "out.md").rmdir()
    again = await fork_run(place.app(), origin_of(place.app(), first.run_id), ForkOptions(asked=("b",)))

    assert again["a"].status == "completed"
    assert (place.project / "out.md").read_text().strip() == "said"


async def test_a_rehearsal_writes_nothing_and_says_what_would_be_written(place: Workspace) -> None:
    place.ensemble("one", local("a", save_as="out/a.md"))

    result, _ = await run(place.app(), "one", rehearse=True)

    assert not (place.project / "out").exists()
    assert result["a"].notices == ("A run would write this answer to `out/a.md`.",)


async def test_a_project_that_nobody_trusts_writes_nothing(place: Workspace) -> None:
    place.cloned("one", local("a", save_as="README.md"))
    with pytest.raises(NotTrusted, match=r"would write `README.md` \(agent `a`\)"):
        await run(place.app(), "one")
    assert not (place.project / "README.md").exists()


LIST = {"fan_out": {"over": ["x"]}}
LOOP = {"name": "l", "loop": {"agents": [local("in", save_as="x.md")], "max_rounds": 2}}


@pytest.mark.parametrize(
    ("agents", "why"),
    [
        ([local("b"), local("a", save_as="${b}.md")], "no such answer becomes a part of a path"),
        ([local("a", save_as="${task}.md")], "only inputs become a part of a path"),
        ([local("a", save_as="../x")], "must stay below the working directory"),
        ([local("a", save_as="/x")], "not below the working directory"),
        ([local("a", save_as="${inputs.n}/../../x")], "must stay below the working directory"),
        ([local("a", save_as="x.md"), local("b", save_as="X.md")], "agent `a` writes the same file"),
        ([local("a", save_as="x.md", **LIST)], "all items would write the same file"),
        ([local("a", save_as="${item}-${index}.md", **LIST)], "only inputs become a part of a path"),
        ([LOOP], "each round of the loop would write the same file"),
    ],
)
async def test_what_is_wrong_with_a_path_is_found_when_the_file_is_read(
    place: Workspace, agents: list[dict[str, object]], why: str
) -> None:
    place.ensemble("one", *agents, inputs={"n": "string"})
    with pytest.raises(EnsembleInvalid) as found:
        await run(place.app(), "one", inputs={"n": "v"})
    assert any(why in problem.message and problem.line for problem in found.value.problems)


async def test_a_resumed_run_writes_what_is_missing_and_asks_nobody(place: Workspace, sandbox: Sandbox) -> None:
    place.ensemble("one", local("a", save_as="out.md"), script("b", "raise SystemExit(1)"))
    first, _ = await run(place.app(), "one")
    (place.project / "out.md").unlink()

    again = await resume_run(place.app(), ResumeOptions(first.run_id))

    assert (place.project / "out.md").read_text() == again["a"].response
    assert sandbox.request_count == 1
