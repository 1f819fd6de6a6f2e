"""Read the inputs of a batch: lines of JSON, a table, plain lines, or a folder. Each input becomes a task."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.app.batches.input_lines import LARGEST_FILE, Input, json_lines, plain_lines, text_of
from llm_orc.app.batches.input_tables import table_rows
from llm_orc.app.batches.placeholders import as_text, fill, placeholders
from llm_orc.app.runs.inputs import check_task
from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError
from llm_orc.jsontypes import JsonValue
from llm_orc.storage.suggest import closest_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_STRANGE = re.compile("[\0\ud800-\udfff]")
_TASK_FIELDS = ("input", "task", "prompt", "text")
_LABEL_FIELDS = ("id", "name")
_LONGEST_LABEL = 80
# Not blocking: a pipe in place of a file would otherwise never return.
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MOST_SHOWN = 20  # columns


@dataclass(frozen=True, slots=True)
class Task:
    """One input as a task, or the reason why it can't be one. `number` counts from 1."""

    number: int
    line: int
    task: str
    label: str
    fields: dict[str, JsonValue]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Shaping:
    """How inputs become tasks. `columns` maps columns to placeholders with other names.

    `prompts` are the other texts with placeholders, by their names in errors.
    """

    template: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None  # use only this many, the first ones
    sample: int | None = None  # use only this many, chosen at random, but the same ones each time
    prompts: Mapping[str, str] = field(default_factory=dict)
    takes_task: bool = True
    default_task: str | None = None  # the task of all rows, where columns are inputs and none is the task
    inputs: Callable[[Mapping[str, JsonValue]], object] = lambda _fields: None  # raises `InputError` for a bad row
    input_columns: frozenset[str] = frozenset()


def read_inputs(
    source: str, stdin: bytes | None = None, form: str | None = None, *, files_as: str | None = None
) -> list[Input]:
    """Read `source`: a file, a folder, or `-` for `stdin`.

    `form` is `jsonl`, `csv`, `tsv` or `lines`; None: found out from the name and the content. `files_as`: the
    field that has the path of each file of a folder, in place of `input` with its text. An input that can't be
    read is in the list, with its error. Raises `InputError` if nothing can be read, or there is no input.
    """
    if found := _read(source, stdin, form, files_as):
        return found
    raise InputError(
        f"there are no inputs: {'standard input' if source == '-' else f'`{source}`'} is empty",
        hint="Give one input a line (a JSON object, a row below a header, or text), or a folder of files.",
    )


def _read(source: str, stdin: bytes | None, form: str | None, files_as: str | None) -> list[Input]:
    if source == "-":
        return _read_as(form or "", text_of(stdin or b"", "standard input"))
    if not source.strip():
        raise InputError("the inputs have no name", hint="Give a file, a folder, or `-` for standard input.")
    path = Path(source).expanduser()
    try:
        if path.is_dir():
            return list(_folder(path, files_as))
        with path.open("rb") as file:
            text = text_of(file.read(LARGEST_FILE + 1), source)
    except OSError as e:
        raise InputError(f"can't read `{source}`: {e.strerror or e}") from e
    suffix = path.suffix.lower().removeprefix(".")
    if form is None and suffix == "json":
        raise InputError(
            f"`{source}` is one JSON document", hint="Inputs are one JSON object a line, in `FILE.jsonl`."
        )
    return _read_as(form or suffix, text)


def _read_as(form: str, text: str) -> list[Input]:
    match form:
        case "jsonl" | "ndjson":
            return list(json_lines(text))
        case "csv":
            return list(table_rows(text))
        case "tsv":
            return list(table_rows(text, "\t"))
        case "lines":
            return list(plain_lines(text))
        case _:
            return list(_by_content(text))


def _by_content(text: str) -> Iterator[Input]:
    return json_lines(text) if text.lstrip()[:1] in {"{", '"'} else plain_lines(text)


def _folder(folder: Path, files_as: str | None) -> Iterator[Input]:
    """Yield each file as an input. A link is followed only to a file of the same folder."""
    root = folder.resolve()
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not (path.is_file() or path.is_symlink()) or path.is_dir():
            continue
        named: dict[str, JsonValue] = {"name": path.name}
        target = Path(os.path.realpath(path))  # raises no error for links in a circle
        if target.parent != root or target.name.startswith("."):
            yield Input(
                0, named, f"`{path.name}` is a link that leads out of the folder or to a hidden file: not read"
            )
            continue
        if files_as is not None:
            yield Input(0, {**named, files_as: str(target)})
            continue
        try:
            yield Input(0, {**named, "input": _read_file(target).decode("utf-8-sig")})
        except UnicodeDecodeError:
            yield Input(0, named, f"`{path.name}` is not UTF-8 text")
        except OSError as e:
            yield Input(0, named, f"can't read `{path.name}`: {e.strerror or e}")


def _read_file(path: Path) -> bytes:
    """Read it without following a link that has replaced it meanwhile."""
    descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def make_tasks(inputs: Sequence[Input], shaping: Shaping) -> list[Task]:
    """Turn inputs into tasks. Raises `InputError` if no input can be one."""
    if not inputs:
        raise InputError("there are no inputs")
    columns = list(dict.fromkeys(name for one in inputs for name in one.fields))
    _check_columns(columns, shaping)
    of_task = _column_of_task(columns, shaping)
    chosen = list(enumerate(inputs, 1))
    if shaping.limit is not None:
        chosen = chosen[: shaping.limit]
    if shaping.sample is not None and shaping.sample < len(chosen):
        drawn = random.Random(shaping.sample).sample(range(len(chosen)), shaping.sample)  # noqa: S311 - no secret
        chosen = [chosen[i] for i in sorted(drawn)]
    return [_task(number, one, shaping, of_task) for number, (_, one) in enumerate(chosen, 1)]


def _column_of_task(columns: Sequence[str], shaping: Shaping) -> str | None:
    """Return the column that has the tasks if there is no template: the same one for every input."""
    if not shaping.takes_task:
        return None
    known = [shaping.columns.get(name, name) for name in columns]
    found = next((name for name in _TASK_FIELDS if name in known), None)
    if found is None and shaping.input_columns and shaping.default_task is not None:
        return None
    return known[0] if found is None and len(known) == 1 else found


def _check_columns(columns: Sequence[str], shaping: Shaping) -> None:
    shown = ", ".join(f"`{name}`" for name in columns[:_MOST_SHOWN]) or "none"
    if len(columns) > _MOST_SHOWN:
        shown += f" and {len(columns) - _MOST_SHOWN:,} more"
    _check_mapping(columns, shaping, shown)
    template = shaping.template
    if template is not None and not template.strip():
        raise InputError("the task is empty", hint='Write one with columns in it: `--input "Judge {{COLUMN}}"`.')
    if template is not None and not placeholders(template) and not shaping.input_columns:
        raise InputError(
            "the task has no placeholder, so it would be the same for every input",
            hint="Add a column in double braces: {{" + (columns[0] if columns else "COLUMN") + "}}",
        )
    known = {shaping.columns.get(name, name) for name in columns}
    has_task = not shaping.takes_task or (shaping.input_columns and shaping.default_task is not None)
    if template is None and not has_task and columns and not known.intersection(_TASK_FIELDS) and len(known) > 1:
        raise InputError(
            f"the inputs have no column `input`; they have: {shown}",
            hint='Choose the task with `--map COLUMN=input`, or write one: `--input "Judge {{COLUMN}}"`.',
        )
    texts = {"the task": template, **shaping.prompts}
    for where, text in texts.items():
        missing = next((name for name in placeholders(text or "") if columns and name not in known), None)
        if missing is not None:
            near = closest_names(missing, known)
            raise InputError(
                f"{where} has a placeholder `{missing[:80]}`, but no input has such a column; they have: {shown}",
                hint=f"Did you mean `{near[0]}`?" if near else f"Map one to it: --map COLUMN={missing[:80]}",
            )


def _check_mapping(columns: Sequence[str], shaping: Shaping, shown: str) -> None:
    there = set(columns)
    for column in shaping.columns:
        if column not in there:
            near = closest_names(column, columns)
            hint = f"Did you mean `{near[0]}`?" if near else f"The columns are: {shown}."
            raise InputError(f"no input has a column `{column}`", hint=hint)
    renamed = list(shaping.columns.values())
    kept = there.difference(shaping.columns)
    twice = next((name for name in renamed if renamed.count(name) > 1 or name in kept), None)
    if twice is not None:
        raise InputError(
            f"two columns are mapped to one name, `{twice}`", hint="Give each `--map` a different name."
        )


def _task(number: int, one: Input, shaping: Shaping, of_task: str | None) -> Task:
    strange = next((name for name, value in one.fields.items() if _is_strange(name) or _is_strange(value)), None)
    if strange is not None:
        one = Input(one.line, {}, f"column {strange[:80]!a} contains characters that are not text")
    values = {shaping.columns.get(name, name): value for name, value in one.fields.items()}
    label = next((as_text(values[name]) for name in _LABEL_FIELDS if name in values), "")[:_LONGEST_LABEL]
    where = f"line {one.line}" if one.line else f"`{label}`"
    task, error = "", one.error if strange is None else f"{where}: {one.error}"
    if error is None:
        try:
            if shaping.takes_task:
                task = _task_of(values, shaping, of_task)
                check_task(task)
            shaping.inputs(one.fields)
            for prompt in shaping.prompts.values():
                fill(prompt, values)
        except InputError as e:
            task, error = "", f"{where}: {e.message}"
    return Task(number, one.line, task, label, one.fields, error)


def _task_of(values: Mapping[str, JsonValue], shaping: Shaping, of_task: str | None) -> str:
    if shaping.template is not None:
        return fill(shaping.template, values)
    if of_task is None and shaping.input_columns and shaping.default_task is not None:
        return shaping.default_task
    if of_task is None or of_task not in values:
        raise InputError(f"the input has no column `{of_task or 'input'}`")
    return as_text(values[of_task])


def _is_strange(value: JsonValue) -> bool:
    """Whether it has half a surrogate pair, which is not valid text, or a NUL, which PostgreSQL can't store."""
    if isinstance(value, str):
        return _STRANGE.search(value) is not None
    if isinstance(value, dict):
        return any(_is_strange(name) or _is_strange(inner) for name, inner in value.items())
    return isinstance(value, list) and any(map(_is_strange, value))
