"""Output goes over nothing that is read, before anything is spent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llm_orc.cli.shell.output.files import refuse_to_replace
from llm_orc.cli.shell.usage import UsageMistake

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("input\na\n")
    return path


def test_a_file_that_is_read_is_not_replaced_by_whatever_name_it_goes(inputs: Path, tmp_path: Path) -> None:
    link, hard, way_round = tmp_path / "link.csv", tmp_path / "hard.csv", tmp_path / "sub" / ".." / "in.csv"
    (tmp_path / "sub").mkdir()
    link.symlink_to(inputs)
    os.link(inputs, hard)

    for output in (inputs, link, hard, way_round):
        with pytest.raises(UsageMistake, match="is an input"):
            refuse_to_replace(output, str(inputs))


def test_output_into_the_folder_that_is_read_is_refused_and_elsewhere_is_not(inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageMistake, match="is in the folder of the inputs"):
        refuse_to_replace(tmp_path / "out.jsonl", tmp_path)

    refuse_to_replace(tmp_path / "out.jsonl", inputs, None, "-", tmp_path / "not exist")
    refuse_to_replace(None, inputs)


@pytest.mark.parametrize(
    "command",
    [
        ("batch", "./pair.yaml", "--inputs", "in.jsonl", "--rehearse", "-o", "in.jsonl"),
        pytest.param(
            ("batch", "./pair.yaml", "--inputs", "in.jsonl", "--rehearse", "-o", "pair.yaml"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ("invoke", "./pair.yaml", "-f", "in.jsonl", "--rehearse", "-o", "in.jsonl"), marks=pytest.mark.slow
        ),
        pytest.param(
            ("invoke", "./pair.yaml", "-i", "x", "--rehearse", "-o", "pair.yaml"), marks=pytest.mark.slow
        ),
    ],
)
def test_a_command_leaves_what_it_reads_as_it_is(pair: Shell, command: tuple[str, ...]) -> None:
    inputs = pair.cwd / "in.jsonl"
    inputs.write_text('{"firm": "Acme", "land": "DE"}\n')
    before = [(path, path.read_bytes()) for path in (inputs, pair.cwd / "pair.yaml")]

    done = pair.run(*command)

    assert done.returncode == 2
    assert "is an input" in done.stderr
    assert [(path, path.read_bytes()) for path, _ in before] == before
    assert not (pair.home / ".local" / "state" / "llm-orc" / "batches.sqlite").exists()


@pytest.mark.slow
def test_results_do_not_go_over_the_inputs_of_their_batch_or_the_stores(pair: Shell) -> None:
    inputs = pair.cwd / "in.jsonl"
    inputs.write_text('{"firm": "Acme", "land": "DE"}\n')
    pair.run("batch", "./pair.yaml", "--inputs", "in.jsonl", "--rehearse")
    store = pair.home / ".local" / "state" / "llm-orc" / "batches.sqlite"

    over_inputs = pair.run("batch", "results", "last", "-o", "in.jsonl")
    over_store = pair.run("batch", "results", "last", "-o", str(store))
    over_settings = pair.run("schema", "config", "-o", str(pair.config))
    elsewhere = pair.run("batch", "results", "last", "-o", "out.jsonl")

    assert [one.returncode for one in (over_inputs, over_store, over_settings, elsewhere)] == [2, 2, 2, 0]
    assert inputs.read_text() == '{"firm": "Acme", "land": "DE"}\n'
    assert "a file of llm-orc's own" in over_store.stderr
