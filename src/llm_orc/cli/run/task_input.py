"""The task of a run: from the command line, files, standard input, or the ensemble's own default."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from llm_orc.app.runs.task import TaskPart, compose_task
from llm_orc.cli.shell.input.standard_input import STANDARD_INPUT, STDIN, read_piped, read_standard_input
from llm_orc.cli.shell.input.text_file import LARGEST, read_bytes, text_of, without_line_end
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_NONE_AT_ALL = "Check the command that was to write to it. If none was, add `< /dev/null`."

Decorated = TypeVar("Decorated", bound="Callable[..., object]")

_task_options = (
    click.argument("task", metavar="[TASK]", required=False),
    click.option("-i", "--input", "text", metavar="TEXT", help="The task, as an option."),
    click.option(
        "-f",
        "--input-file",
        "input_files",
        metavar="FILE",
        multiple=True,
        type=click.Path(allow_dash=True),
        help="Read the task, or what it is about, from a UTF-8 file; repeatable. `-` is standard input.",
    ),
)


def task_options(function: Decorated) -> Decorated:
    """Add what every command has that takes a task: `task`, `text` and `input_files`."""
    for option in reversed(_task_options):
        function = option(function)
    return function


def instruction_of(task: str | None, text: str | None) -> str | None:
    """Return what was given as TASK or with --input. Raises `UsageMistake` for both."""
    if task is not None and text is not None:
        raise UsageMistake("--input and TASK exclude each other: both are the task", hint="Give only one.")
    return text if task is None else task


def read_task(
    instruction: str | None, files: Sequence[str], *, default: str | None = None, missing: InputError
) -> str:
    """Return the task: the instruction, the files and what is piped in, as marked parts if there are several.

    `default` is used if there is none of them (an empty one: no task is needed), and `missing` raised if there
    is no default either; its hint says what was expected. An instruction `-` is standard input. Raises
    `InputError` also for a part that is empty, too large or not text: an empty pipe is a mistake, and never
    replaced by the default.
    """
    if instruction == STDIN:
        instruction, files = None, [*files, STDIN]
    if list(files).count(STDIN) > 1:
        raise UsageMistake("standard input can be read only once", hint="Give `-` once.")
    if instruction is not None:
        if not instruction.strip():
            raise InputError("the task is empty", hint=missing.hint)
        instruction = without_line_end(instruction)
    parts = [*_parts(instruction, files, default, missing)]
    if instruction is None and not parts:
        if default is None:
            raise missing
        return default
    return compose_task(instruction, parts)


def _parts(
    instruction: str | None, files: Sequence[str], default: str | None, missing: InputError
) -> Iterator[TaskPart]:
    """Yield what is piped in first, unless `-` says where among the files it belongs."""
    if STDIN not in files:
        otherwise = _otherwise(instruction, files, default)
        piped = read_piped(LARGEST, otherwise)
        if piped is not None:
            hint = missing.hint if otherwise is None else _NONE_AT_ALL
            yield TaskPart(STANDARD_INPUT, _decoded(piped, STANDARD_INPUT, hint))
    for file in files:
        if file == STDIN:
            yield TaskPart(STANDARD_INPUT, _decoded(read_standard_input(LARGEST), STANDARD_INPUT, missing.hint))
        else:
            yield TaskPart(file, _decoded(_read_file(Path(file)), f"`{file}`", missing.hint))


def _otherwise(instruction: str | None, files: Sequence[str], default: str | None) -> str | None:
    """Return what there is apart from standard input, in words; None: nothing."""
    if instruction is not None:
        return "the task given"
    if files:
        return "the file given" if len(files) == 1 else "the files given"
    return None if default is None else "the ensemble's default task" if default else "no task"


def _read_file(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except (OSError, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) and e.strerror else e
        raise InputError(f"can't read `{path}`: {why}") from e


def _decoded(data: bytes, origin: str, hint: str | None) -> str:
    """`hint` says what was expected, instead of nothing."""
    text = text_of(data, origin)
    if not text.strip():
        raise InputError(f"{origin} is empty", hint=hint)
    return text
