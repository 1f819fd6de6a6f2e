"""Where the task comes from, and what is refused before anything is spent."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, TypedDict, Unpack

import pytest

from llm_orc.cli.run.task_input import LARGEST, read_task
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO


class StandardInput(TypedDict, total=False):
    """What `subprocess.run` is told of it."""

    input: bytes
    stdin: int | IO[bytes] | None
    preexec_fn: Callable[[], object]


def read_in_process(
    default: str | None, file: str | None = None, **stdin: Unpack[StandardInput]
) -> subprocess.CompletedProcess[bytes]:
    """Call `read_task` where standard input is what the test says."""
    code = (
        f"from llm_orc.cli.run.task_input import read_task; print(read_task(None, {file!r}, {default!r}, 'panel'))"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=False, **stdin)


def test_the_command_line_wins_over_the_default() -> None:
    assert read_task("mine", None, "default", "panel") == "mine"


def test_a_file_is_read_without_its_last_line_end(tmp_path: Path) -> None:
    path = tmp_path / "task.txt"
    path.write_bytes("\ufeffIs it wörth it?\r\nReally?\r\n".encode())

    assert read_task(None, str(path), "default", "panel") == "Is it wörth it?\r\nReally?"


def test_text_and_file_together_are_a_usage_error() -> None:
    with pytest.raises(UsageMistake, match="exclude each other"):
        read_task("a", "b", None, "panel")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\x00", "is not UTF-8 text: byte 1 "),
        (b"text\x00text", "is a binary file"),
        ("größer".encode("latin-1"), "is not UTF-8 text: byte 3 "),
        ("text".encode("utf-16"), "is not UTF-8 text: byte 1 "),
        (b" \n\n", "is empty"),
        (b"x" * (LARGEST + 1), "is larger than 10 MB"),
    ],
    ids=["png", "nul", "latin-1", "utf-16", "empty", "too large"],
)
def test_a_file_that_is_no_task_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "task"
    path.write_bytes(content)

    with pytest.raises(InputError, match=message) as refusal:
        read_task(None, str(path), "default", "panel")

    assert str(path) in refusal.value.message
    assert refusal.value.hint


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match="`/no/such/file`: No such file"):
        read_task(None, "/no/such/file", None, "panel")


def test_an_empty_option_is_not_silently_replaced_by_the_default() -> None:
    with pytest.raises(InputError, match="--input is empty"):
        read_task("", None, "default", "panel")


def test_what_is_piped_in_wins_over_the_default() -> None:
    assert read_in_process("default", input=b"piped\n").stdout == b"piped\n"


@pytest.mark.parametrize("stdin", [{"input": b""}, {"input": b"\n"}, {"stdin": subprocess.DEVNULL}], ids=str)
def test_an_empty_standard_input_leaves_the_default(stdin: StandardInput) -> None:
    assert read_in_process("default", **stdin).stdout == b"default\n"


def test_a_closed_standard_input_leaves_the_default() -> None:
    assert read_in_process("default", preexec_fn=lambda: os.close(0)).stdout == b"default\n"


def test_an_inherited_pipe_that_stays_silent_is_not_waited_for() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "wb"):
        done = read_in_process("default", stdin=reading)

    assert done.stdout == b"default\n"
    assert b"using the ensemble's default task" in done.stderr


def test_a_slow_pipe_is_waited_for_where_it_was_asked_for() -> None:
    code = "import time; time.sleep(1.2); print('late')"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as slow:
        done = read_in_process("default", file="-", stdin=slow.stdout)

    assert done.stdout == b"late\n"


def test_an_endless_pipe_is_refused_at_the_limit() -> None:
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
        done = read_in_process("default", stdin=endless.stdout)
        endless.kill()

    assert b"is larger than 10 MB" in done.stderr


def test_no_task_at_all_says_how_to_give_one() -> None:
    with pytest.raises(InputError, match="no task for `panel`") as refusal:
        read_task(None, None, None, "panel")

    assert "--input" in (refusal.value.hint or "")
