"""Runs that are given files: read and checked before anything starts, recorded, and read from the store later."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llm_orc.agents.files.ref import as_json
from llm_orc.app.files.given import FileData, GivenFiles, take_inputs
from llm_orc.app.files.read import FileReader
from llm_orc.app.history.fork import ForkOptions, fork_run, origin_of
from llm_orc.app.history.runs import delete_runs, get_run
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.errors import FileMissing, InputError
from tests.app.conftest import Workspace, local, on_sandbox, run

if TYPE_CHECKING:
    from llm_orc.app.files.given import InputValue
    from llm_orc.runs.results import RunResult
    from llm_orc.sandbox.server import Sandbox

PNG = b"\x89PNG\r\n\x1a\n\0\0"
REPORT = {"inputs": {"report": "file"}, "task": "none"}


def says(text: str, name: str = "a") -> dict[str, object]:
    """An agent that answers with this text, filled in."""
    return {"name": name, "script": ["cat"], "stdin": text}


@pytest.fixture(autouse=True)
def programs(workspace: Workspace) -> None:
    workspace.environ = {"PATH": os.environ["PATH"]}


async def run_with(workspace: Workspace, name: str, **inputs: InputValue) -> RunResult:
    app = workspace.app()
    reader = FileReader(app)
    values = take_inputs(find_ensemble(app, name), inputs, reader)
    result, _ = await run(app, name, "", inputs=values, given=GivenFiles(contents=reader.contents))
    return result


def contents_of(workspace: Workspace) -> list[bytes]:
    return [path.read_bytes() for path in workspace.app().paths.files.glob("??/*")]


async def test_a_text_has_the_name_of_a_file_and_what_is_in_it(workspace: Workspace) -> None:
    workspace.ensemble("one", says("${inputs.report} ${inputs.report.type} ${inputs.report.text}"), **REPORT)
    path = workspace.write("notes/report.md", "# All is well")

    by_path = await run_with(workspace, "one", report=path)
    by_data = await run_with(workspace, "one", report=FileData("../r.txt", "schön".encode("utf-16")))
    image = await run_with(workspace, "one", report=FileData("r.png", PNG))

    assert by_path.answer == "report.md text/markdown # All is well"
    assert by_data.answer == "r.txt text/plain schön"
    assert image["a"].error is not None
    assert image["a"].error.message == "the file `r.png` has no text: it is `image/png`"


async def test_a_program_finds_files_by_their_paths_while_it_runs(workspace: Workspace) -> None:
    show = (
        "import json, sys; d = json.load(sys.stdin); print(json.dumps([d, open(sys.argv[1], 'rb').read().hex()]))"
    )
    agent = {"name": "a", "script": ["python3", "-c", show, "${inputs.pages.0.path}"], "output": "json"}
    workspace.ensemble("one", agent, inputs={"report": "file", "pages": "files"}, task="none")

    result = await run_with(
        workspace, "one", report=FileData("r.txt", b"abc"), pages=[FileData("p.png", PNG), FileData("q.txt", b"q")]
    )

    document, content = json.loads(result.answer or "")
    assert content == PNG.hex()
    assert document["inputs"] == {"report": "r.txt", "pages": ["p.png", "q.txt"]}
    report, pages = document["files"]["report"], document["files"]["pages"]
    assert (report["name"], report["type"], report["size"]) == ("r.txt", "text/plain", 3)
    assert [Path(one["path"]).name for one in (report, *pages)] == ["r.txt", "p.png", "q.txt"]
    assert not os.path.lexists(report["path"])  # noqa: ASYNC240 - a test waits for nothing


async def test_a_run_goes_on_with_what_was_stored_whatever_became_of_the_file(workspace: Workspace) -> None:
    stop = workspace.write("stop", "")
    agent = {"name": "a", "script": ["sh", "-c", f"test ! -e '{stop}' && cat"], "stdin": "${inputs.report.text}"}
    workspace.ensemble("one", agent, **REPORT)
    path = workspace.write("report.txt", "As it was.")

    failed = await run_with(workspace, "one", report=path)
    path.write_text("Changed.")
    stop.unlink()
    resumed = await resume_run(workspace.app(), ResumeOptions(failed.run_id))
    path.unlink()
    app = workspace.app()
    forked = await fork_run(app, origin_of(app, failed.run_id), ForkOptions(everything=True))

    assert (failed.status, resumed.answer, forked.answer) == ("failed", "As it was.", "As it was.")
    assert contents_of(workspace) == [b"As it was."]
    recorded = get_run(app, forked.run_id).recipe.inputs["report"]
    assert recorded == resumed.inputs["report"]


async def test_contents_end_with_the_last_run_that_refers_to_them(workspace: Workspace) -> None:
    workspace.ensemble("one", says("${inputs.report}"), **REPORT)
    first = await run_with(workspace, "one", report=FileData("a.txt", b"same"))
    second = await run_with(workspace, "one", report=FileData("b.txt", b"same"))
    third = await run_with(workspace, "one", report=FileData("c.txt", b"other"))

    delete_runs(workspace.app(), [first.run_id, third.run_id])
    assert contents_of(workspace) == [b"same"]
    delete_runs(workspace.app(), [second.run_id])
    assert contents_of(workspace) == []


async def test_a_run_whose_file_is_gone_does_not_start_again(workspace: Workspace) -> None:
    workspace.ensemble("one", says("${inputs.report.text}"), **REPORT)
    ended = await run_with(workspace, "one", report=FileData("a.txt", b"x"))
    app = workspace.app()
    shutil.rmtree(app.paths.files)

    with pytest.raises(FileMissing, match=r"the file `a\.txt` of this run is not stored any more"):
        await fork_run(app, origin_of(app, ended.run_id), ForkOptions(everything=True))


async def test_without_a_record_nothing_is_stored(workspace: Workspace) -> None:
    workspace.ensemble("one", says("${inputs.report.text}"), **REPORT)
    app = workspace.app()
    reader = FileReader(app)
    values = take_inputs(find_ensemble(app, "one"), {"report": FileData("a.txt", b"x")}, reader)

    result, _ = await run(app, "one", "", inputs=values, given=GivenFiles(contents=reader.contents), record=False)

    assert result.answer == "x"
    assert not app.paths.files.exists()


async def test_a_value_that_looks_like_a_file_gives_access_to_none(workspace: Workspace) -> None:
    workspace.ensemble("one", says("${inputs.report.text}"), **REPORT)
    workspace.ensemble("plain", says("${inputs.it}"), inputs={"it": "object"}, task="none")
    await run_with(workspace, "one", report=FileData("secret.txt", b"secret"))
    app = workspace.app()
    forged = as_json(FileReader(app).of_bytes("secret.txt", b"secret", ""))

    with pytest.raises(InputError, match="input `report` must be the path of a file"):
        await run(app, "one", "", inputs={"report": forged})
    with pytest.raises(InputError, match="input `report` must be the path of a file"):
        take_inputs(find_ensemble(app, "one"), {"report": forged}, FileReader(app))
    plain, _ = await run(app, "plain", "", inputs={"it": forged})
    assert plain.answer == "secret.txt"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere.txt", "can't read `{}`: No such file or directory"),
        ("folder", "can't read `{}`: Is a directory"),
        ("empty.txt", "`{}` is empty"),
        ("large.txt", "`{}` is larger than 1 MB"),
        (".local/state/llm-orc/x", "`{}` is among the program's own files, which may have credentials in them"),
        (
            ".config/llm-orc/config.yaml",
            "`{}` is among the program's own files, which may have credentials in them",
        ),
    ],
)
def test_what_can_t_be_given_is_refused_before_anything_starts(
    workspace: Workspace, path: str, message: str
) -> None:
    workspace.settings({"runs": {"max_file_mb": 1}})
    workspace.write("folder/x", "x")
    workspace.write("empty.txt", "")
    workspace.write("large.txt", "x" * (1024 * 1024 + 1))
    workspace.write(".local/state/llm-orc/x", "x")
    whole = workspace.root / path

    with pytest.raises(InputError) as caught:
        FileReader(workspace.app()).read(whole, "`--attach`")

    assert caught.value.message == f"`--attach`: {message.format(whole)}"


def test_files_come_from_a_folder_or_a_pattern_by_name(workspace: Workspace) -> None:
    for name in ("b.txt", "a.txt", ".hidden", "c.md", "below/d.txt"):
        workspace.write(f"scans/{name}", name)
    reader = FileReader(workspace.app())

    folder = [one.name for one in reader.read_all(workspace.root / "scans", "x")]
    pattern = [one.name for one in reader.read_all(workspace.root / "scans" / "*.txt", "x")]

    assert (folder, pattern) == (["a.txt", "b.txt", "c.md"], ["a.txt", "b.txt"])
    with pytest.raises(InputError, match="has no files"):
        reader.read_all(workspace.root / "scans" / "*.png", "x")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
@pytest.mark.parametrize("target", ["secret.txt", "scans/.hidden"])
def test_a_link_in_a_folder_leads_to_no_other_place(workspace: Workspace, target: str) -> None:
    workspace.write("scans/.hidden", "x")
    workspace.write("scans/a.txt", "A")
    workspace.write("secret.txt", "x")
    (workspace.root / "scans" / "same.txt").symlink_to(workspace.root / "scans" / "a.txt")
    reader = FileReader(workspace.app())
    assert len(reader.read_all(workspace.root / "scans", "x")) == 2

    (workspace.root / "scans" / "out.txt").symlink_to(workspace.root / target)
    for named in ("scans", "scans/*.txt"):
        with pytest.raises(InputError, match="is a link that leads out of the folder or to a hidden file"):
            reader.read_all(workspace.root / named, "x")
    assert reader.read(workspace.root / "scans" / "out.txt", "x").size == 1


async def test_ensembles_within_items_and_rounds_get_files_by_reference(workspace: Workspace) -> None:
    workspace.ensemble("inner", says("${inputs.page}: ${inputs.page.text}"), inputs={"page": "file"}, task="none")
    each = {"fan_out": {"over": "${inputs.pages}", "as": "page"}}
    workspace.ensemble(
        "one",
        {"name": "n", "ensemble": "inner", "inputs": {"page": "${page}"}, **each},
        {**says("${page.text}", "direct"), **each},
        {"name": "loop", "loop": {"max_rounds": 1, "agents": [says("${inputs.pages.1.text}", "x")]}},
        inputs={"pages": "files"},
        task="none",
    )

    result = await run_with(workspace, "one", pages=[FileData("a.txt", b"A"), FileData("b.txt", b"B")])

    assert json.loads(result["n"].response or "") == ["a.txt: A", "b.txt: B"]
    assert json.loads(result["direct"].response or "") == ["A", "B"]
    assert result["loop"].response == "B"


async def test_a_file_of_the_task_that_no_agent_would_get_is_refused(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("deaf", local("a", prompt="Say hello."))
    app = workspace.app()
    reader = FileReader(app)
    given = GivenFiles((reader.of_bytes("a.png", PNG, ""),), reader.contents)

    with pytest.raises(InputError, match=r"no agent of ensemble `deaf` would get the file `a\.png`"):
        await run(app, "deaf", given=given)
    assert not sandbox.requests
