"""`--set KEY=VALUE`: the inputs of an ensemble, on the command line and as columns of a batch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

REVIEW = """\
name: review
task: none
inputs:
  base: {default: origin/main, description: Compare with this}
  diff: string
  most: {type: integer, default: 3}
agents:
  - name: a
    prompt: "${inputs.base} and ${inputs.diff}, at most ${inputs.most}"
"""


def run_json(shell: Shell, *arguments: str) -> dict[str, object]:
    done = shell.run("invoke", "review", "--rehearse", "--output-format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_inputs_are_values_or_files_and_are_recorded(shell: Shell) -> None:
    shell.own_ensemble("review", REVIEW)
    (shell.cwd / "change.diff").write_text("+ one = 1\n")

    result = run_json(shell, "--set", "diff=@change.diff", "--set", "most=7")
    shown = json.loads(shell.run("runs", "show", "last", "--output-format", "json").stdout)
    literal = run_json(shell, "--set", "diff=@@home=1")

    assert result["inputs"] == shown["inputs"] == {"base": "origin/main", "diff": "+ one = 1", "most": 7}
    assert literal["inputs"] == {"base": "origin/main", "diff": "@home=1", "most": 3}
    assert result["input"] == ""
    assert "origin/main and + one = 1, at most 7" in str(result["answer"])


def test_an_input_comes_through_a_pipe(shell: Shell) -> None:
    shell.own_ensemble("review", REVIEW)
    asking = ("invoke", "review", "--rehearse", "--output-format", "json", "--set", "diff=@-")

    result = json.loads(shell.run(*asking, stdin="+ one = 1\n").stdout)
    empty = shell.run(*asking, stdin="")

    assert (result["inputs"]["diff"], result["input"]) == ("+ one = 1", "")
    assert (empty.returncode, json.loads(empty.stdout)["error"]["message"]) == (
        2,
        "`--set diff`: standard input is empty",
    )


def test_a_pipe_that_nothing_takes_is_refused(shell: Shell) -> None:
    shell.own_ensemble("review", REVIEW)
    done = shell.run("invoke", "review", "--rehearse", "--set", "diff=x", stdin="a task\n")

    assert done.returncode == 2
    assert "takes no task" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "needs the input `diff`"),
        (("--set", "diff"), 2, "`--set diff` is not KEY=VALUE"),
        (("--set", "diff=1", "--set", "diff=2"), 2, "`--set diff` is given twice"),
        (("--set", "diff=@missing"), 2, "`--set diff`: can't read `missing`: No such file or directory"),
        (("--set", "diff=x", "--set", "most=many"), 2, "input `most` must be a whole number, not `many`"),
        (("--set", "diff=x", "--set", "bas=y"), 2, "Did you mean `base`?"),
        (("--set", "diff=x", "--input", "Go"), 2, "takes no task"),
    ],
)
def test_a_mistake_is_said_before_anything_runs(
    shell: Shell, arguments: tuple[str, ...], code: int, words: str
) -> None:
    shell.own_ensemble("review", REVIEW)

    done = shell.run("invoke", "review", "--rehearse", *arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_check_and_explain_list_what_a_run_needs(shell: Shell) -> None:
    shell.own_ensemble("review", REVIEW)

    checked, document = shell.run("check", "review"), json.loads(shell.run("check", "review", "--json").stdout)

    assert "  input diff: text; each run needs it: `--set diff=TEXT`\n" in checked.stdout
    assert "  input base: text; default `origin/main` (Compare with this)\n" in checked.stdout
    assert [(one["name"], one["required"]) for one in document["ensembles"][0]["inputs"]] == [
        ("base", False),
        ("diff", True),
        ("most", False),
    ]


def test_columns_of_a_batch_are_inputs_by_name(shell: Shell) -> None:
    shell.own_ensemble("review", REVIEW)
    (shell.cwd / "in.csv").write_text("id,Text,most\na,+ x,5\nb,+ y,\nc,+ z,many\n")

    done = shell.run(
        "batch",
        "review",
        "--inputs",
        "in.csv",
        "--map",
        "Text=diff",
        "--set",
        "base=v1",
        "--rehearse",
        "--ordered",
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    shown = [
        json.loads(shell.run("runs", "show", f"last:{number}", "--output-format", "json").stdout)["inputs"]
        for number in (1, 2)
    ]

    assert [row["status"] for row in rows] == ["completed", "completed", "failed"], done.stderr
    assert rows[2]["error"]["message"] == "line 4: input `most` must be a whole number, not `many`"
    assert shown == [{"base": "v1", "diff": "+ x", "most": 5}, {"base": "v1", "diff": "+ y", "most": 3}]


def test_a_batch_without_a_column_for_a_required_input_does_not_start(shell: Shell) -> None:
    shell.own_ensemble("review", REVIEW)

    done = shell.run("batch", "review", "--inputs", "-", "--rehearse", stdin='{"text": "x"}\n')

    assert done.returncode == 2
    assert "needs the input `diff`" in done.stderr
    assert "--map COLUMN=diff" in done.stderr


def test_a_chat_says_at_once_that_nothing_can_be_said_to_it(shell: Shell) -> None:
    shell.own_ensemble("review", REVIEW)
    shell.own_ensemble("asked", REVIEW.replace("task: none\n", "").replace("name: review", "name: asked"))

    no_task, needs_input = (shell.run("chat", name, stdin="Hi") for name in ("review", "asked"))

    assert (no_task.returncode, needs_input.returncode) == (2, 2)
    assert "takes no task, so nothing can be said to it in a chat" in no_task.stderr
    assert "needs the input `diff`, which a chat doesn't give" in needs_input.stderr
    assert "hint: llm-orc invoke asked --set diff=TEXT" in needs_input.stderr


def test_a_file_is_attached_from_a_path_or_a_pipe_and_kept_by_its_content(shell: Shell) -> None:
    shell.own_ensemble("look", "name: look\nagents: [{name: a, model_profile: default}]\n")
    (shell.cwd / "note.md").write_text("# Milk")
    asking = ("invoke", "look", "--rehearse", "--output-format", "json", "-a", "note.md", "--attach", "-", "Look.")

    done = shell.run(*asking, stdin=b"%PDF-1.7\n\xe2\xe3")
    twice = shell.run("invoke", "look", "-a", "-", "--set", "x=@-", "Look.", stdin="x")

    files = json.loads(done.stdout)["files"]
    assert [(one["name"], one["type"], one["size"]) for one in files] == [
        ("note.md", "text/markdown", 6),
        ("file.pdf", "application/pdf", 11),
    ]
    assert twice.returncode == 2
    assert "standard input can be read only once" in twice.stderr
