"""What is wrong with an agent's program is said when the file is read, with its place and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_orc.agents.script.work import ScriptWork
from llm_orc.ensembles.library import Library
from llm_orc.ensembles.parse import load_ensemble_file, parse_ensemble_text
from llm_orc.errors import EnsembleInvalid, Problem

HEAD = "name: one\ninputs: {base: string}\nagents:\n- {name: model}\n- name: a\n  "


def problems(text: str) -> list[Problem]:
    with pytest.raises(EnsembleInvalid) as refused:
        parse_ensemble_text(HEAD + text)
    return list(refused.value.problems)


def work_in(folder: Path, text: str) -> ScriptWork:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "one.yaml"
    file.write_text(f"name: one\nagents:\n- name: a\n  {text}\n")
    work = load_ensemble_file(file).ensemble.agents[0].work
    assert isinstance(work, ScriptWork)
    return work


COMMANDS = [
    "script: [git, show, '${model}']",
    "script: [git, show, 'x${model.field}y']",
    "script: [git]\n  env: {PATH: '${model}'}",
    "script: [git]\n  env: {LD_PRELOAD: '${model}'}",
    "script: [git]\n  env: {BASH_ENV: '${model}'}",
    "script: [git]\n  env: {PYTHONPATH: '${model}'}",
    "script: [git]\n  env: {GIT_SSH_COMMAND: '${model}'}",
    "script: [git]\n  env: {NODE_OPTIONS: '${model}'}",
    "script: ['${model}']",
    "script: ['${inputs.base}', x]",
    "script: [bash, -c, 'echo ${inputs.base}']",
    "script: [/bin/bash, -lc, 'echo ${inputs.base}']",
    "script: [env, A=b, sh, -c, 'echo ${inputs.base}']",
    "script: [python3, -c, '${inputs.base}']",
    "script: [node, '--eval=${inputs.base}']",
    "script: [perl, -ne, '${inputs.base}']",
    "script: [cmd.exe, /c, '${inputs.base}']",
    "script: [bash]\n  stdin: '${model}'",
    "script: [sh, -s]\n  stdin: '${model}'",
    "script: [python3, '-']\n  stdin: '${model}'",
    "script: [xargs, echo]\n  stdin: '${model}'",
    "script: [/usr/bin/sqlite3, x.db]\n  stdin: '${model}'",
    "script: 'echo ${inputs.base}'\n  shell: true",
    "script: 'echo ${model}'\n  shell: true",
    "script: [git]\n  cwd: '${model}'",
]


@pytest.mark.parametrize("text", COMMANDS)
def test_no_answer_and_no_input_becomes_a_command(text: str) -> None:
    found = problems(text)

    assert found
    assert all(problem.line >= 6 and problem.hint for problem in found)


@pytest.mark.parametrize(
    "text",
    [
        "script: [git, show, '${inputs.base}', '--base=${inputs.base}', '${run.id}', 5]",
        "script: [cat]\n  stdin: '${model} ${inputs.base}'\n  env: {ANSWER: '${model}', MODE: fast}",
        "script: 'for x in a b; do echo ${x}; echo ${HOME} $$ ${x%.*}; done'\n  shell: true",
        "script: [bash, -c, 'cat', '${inputs.base}']",
        "script: [python3, -m, json.tool]",
    ],
)
def test_what_is_data_is_allowed(text: str) -> None:
    assert isinstance(parse_ensemble_text(HEAD + text).ensemble.agents[1].work, ScriptWork)


def test_references_of_a_program_are_dependencies() -> None:
    found = problems("script: [cat]\n  stdin: '${nobody}'")

    assert "names no agent" in found[0].message


def test_a_missing_file_is_a_problem_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "summarise.py").touch()

    with pytest.raises(EnsembleInvalid) as refused:
        work_in(tmp_path, "script: sumarise.py")

    [problem] = refused.value.problems
    assert (problem.line, problem.hint) == (4, "Did you mean `summarise.py`?")


@pytest.mark.parametrize(
    ("at", "written"),
    [
        ("p/.llm-orc/scripts/tool.py", "tool.py"),
        ("p/.llm-orc/scripts/tool.py", "scripts/tool.py"),
        ("p/.llm-orc/scripts/sub/tool.py", "sub/tool.py"),
        ("p/.llm-orc/scripts/my_tool.py", "my-tool.py"),
        ("p/.llm-orc/scripts/tool.py", "scripts\\\\tool.py"),
        ("p/.llm-orc/tool.py", "tool.py"),
        ("p/.llm-orc/ensembles/tool.py", "./tool.py"),
        ("p/.llm-orc/ensembles/scripts/tool", "tool"),
    ],
)
def test_a_file_is_found_where_it_may_be(tmp_path: Path, at: str, written: str) -> None:
    file = tmp_path / at
    file.parent.mkdir(parents=True)
    file.write_text("echo\n")

    work = work_in(tmp_path / "p/.llm-orc/ensembles", f'script: "{written}"')

    assert work.file == str(file)
    assert [*work.digests] == [str(file)]
    assert work.cwd == str(tmp_path / "p")


def test_the_nearest_file_is_taken_and_the_users_own_last(tmp_path: Path) -> None:
    config, project = tmp_path / "config", tmp_path / "p"
    (config / "scripts").mkdir(parents=True)
    (config / "scripts" / "tool.py").touch()
    ensembles = project / ".llm-orc" / "ensembles"
    ensembles.mkdir(parents=True)
    (ensembles / "one.yaml").write_text("name: one\nagents: [{name: a, script: tool.py}]\n")
    library = Library.around(project, config, tmp_path)

    users = library.find("one", project).ensemble.agents[0].work
    (ensembles / "tool.py").touch()
    nearest = library.find("one", project).ensemble.agents[0].work

    assert isinstance(users, ScriptWork)
    assert isinstance(nearest, ScriptWork)
    assert (users.file, nearest.file) == (str(config / "scripts" / "tool.py"), str(ensembles / "tool.py"))


def test_a_line_of_earlier_releases_is_read_and_said_to_be_one() -> None:
    parsed = parse_ensemble_text(HEAD + "script: 'cat | wc -l'")

    work = parsed.ensemble.agents[1].work
    assert isinstance(work, ScriptWork)
    assert work.line == "cat | wc -l"
    assert "shell: true" in str(parsed.ignored[0].hint)


def test_the_programs_that_a_list_runs_are_known_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "p/tools").mkdir(parents=True)
    (tmp_path / "p/tools/x.js").write_text("1")
    (tmp_path / "p/data.txt").write_text("1")

    before = work_in(tmp_path / "p/.llm-orc/ensembles", "script: [node, tools/x.js, data.txt]")
    (tmp_path / "p/tools/x.js").write_text("2")
    after = work_in(tmp_path / "p/.llm-orc/ensembles", "script: [node, tools/x.js, data.txt]")

    assert [*before.digests] == [str(tmp_path / "p/tools/x.js")]
    assert before.digests != after.digests


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("script: []", "it is empty"),
        ("script: [git, 1.5]", "one is a number"),
        ("script: ['', x]", "names no program"),
        ("script: [git]\n  shell: true", "needs no shell"),
        ("script: [git]\n  env: {'A B': x}", "can't be one"),
        ("script: [git]\n  env: {A: [x]}", "is a list"),
        ("script: [git]\n  cwd: /no/such/place", "is no directory"),
        ("script: [git]\n  model: gpt", "has no key `model`"),
        ("script: no-such-word", "does not exist"),
        ("script: [./no-such-file, x]", "does not exist"),
    ],
)
def test_whatever_else_is_wrong_has_its_place(text: str, words: str) -> None:
    assert any(words in problem.message and problem.line >= 6 for problem in problems(text))
