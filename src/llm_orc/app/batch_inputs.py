"""Read what a batch is run over: lines of JSON, CSV, plain lines, or a folder; each input becomes a task."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.app.run_ensemble import check_task
from llm_orc.errors import InputError
from llm_orc.jsontypes import JsonValue
from llm_orc.storage.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_TASK_FIELDS = ("input", "task", "prompt", "text")
_LABEL_FIELDS = ("id", "name")
_LONGEST_LABEL = 80


@dataclass(frozen=True, slots=True)
class Input:
    """One input as it was found. `error` says why it can't be used; `line` counts from 1, 0: a file of its own."""

    line: int
    fields: dict[str, JsonValue] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One input as a task, or why it is none. `number` counts from 1."""

    number: int
    line: int
    task: str
    label: str
    fields: dict[str, JsonValue]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Shaping:
    """How inputs become tasks. `columns` renames: column → placeholder."""

    template: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None  # only the first so many
    sample: int | None = None  # only so many, drawn at random, but always the same ones


def placeholders(text: str) -> tuple[str, ...]:
    """Return the names in `{{name}}`, each once."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))


def read_inputs(source: str, stdin: bytes | None = None, form: str | None = None) -> list[Input]:
    """Read `source`: a file, a folder, or `-` for `stdin`.

    `form` is `jsonl`, `csv`, `tsv` or `lines`; None: as the name and the content say. An input that can't be read
    is in the list, with its error. Raises `InputError` where nothing can be read.
    """
    if source == "-":
        return _read_as(form or "", _text(stdin or b"", "standard input"))
    if not source.strip():
        raise InputError("the inputs have no name", hint="Give a file, a folder, or `-` for standard input.")
    path = Path(source).expanduser()
    try:
        if path.is_dir():
            return list(_folder(path))
        text = _text(path.read_bytes(), source)
    except OSError as e:
        raise InputError(f"can't read `{source}`: {e.strerror or e}") from e
    suffix = path.suffix.lower().removeprefix(".")
    if form is None and suffix == "json":
        raise InputError(f"`{source}` is one JSON document", hint="Inputs are one JSON object a line: FILE.jsonl")
    return _read_as(form or suffix, text)


def _read_as(form: str, text: str) -> list[Input]:
    match form:
        case "jsonl" | "ndjson":
            return list(_json_lines(text))
        case "csv":
            return list(_csv(text, _delimiter(text)))
        case "tsv":
            return list(_csv(text, "\t"))
        case "lines":
            return list(_plain_lines(text))
        case _:
            return list(_by_content(text))


def _delimiter(text: str) -> str:
    """Return what parts the columns of the heading: tables from where a comma is in numbers have semicolons."""
    heading = text.partition("\n")[0]
    return ";" if heading.count(";") > heading.count(",") else ","


def _text(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = data[: e.start].count(b"\n") + 1
        raise InputError(f"`{source}` is not UTF-8 text: line {line} can't be read") from e


def _by_content(text: str) -> Iterator[Input]:
    return _json_lines(text) if text.lstrip()[:1] in {"{", '"'} else _plain_lines(text)


def _plain_lines(text: str) -> Iterator[Input]:
    for line, words in enumerate(text.splitlines(), 1):
        if words.strip():
            yield Input(line, {"input": words})


def _json_lines(text: str) -> Iterator[Input]:
    # Not splitlines(): a JSON text may hold U+2028 as it is.
    for line, words in enumerate(text.split("\n"), 1):
        if words.strip():
            yield _json_line(line, words)


def _json_line(line: int, words: str) -> Input:
    try:
        value: JsonValue = json.loads(words, parse_constant=_refuse_constant)
    except json.JSONDecodeError as e:
        return Input(line, error=f"line {line} is not JSON: {e.msg}, at its character {e.colno}")
    except (ValueError, RecursionError) as e:
        return Input(line, error=f"line {line} is not JSON: {e}")
    if isinstance(value, str):
        return Input(line, {"input": value})
    if isinstance(value, dict):
        return Input(line, value)
    return Input(line, error=f"line {line} is neither a JSON object nor a text")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _csv(text: str, delimiter: str) -> Iterator[Input]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    heading: list[str] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as e:
            yield Input(line, error=f"line {line} is not CSV: {e}")
            return
        if not heading:
            heading = [cell.strip() for cell in cells]
            twice = next((name for name in heading if name and heading.count(name) > 1), None)
            if twice is not None:
                raise InputError(f"the heading has two columns `{twice}`", hint="Give one of them another name.")
        elif cells and len(cells) != len(heading):
            yield Input(line, error=f"line {line} has {len(cells)} columns, the heading {len(heading)}")
        elif cells:
            yield Input(line, dict(zip(heading, cells, strict=True)))


def _folder(folder: Path) -> Iterator[Input]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        named: dict[str, JsonValue] = {"name": path.name}
        try:
            yield Input(0, {**named, "input": path.read_bytes().decode("utf-8-sig")})
        except UnicodeDecodeError:
            yield Input(0, named, f"`{path.name}` is not UTF-8 text")
        except OSError as e:
            yield Input(0, named, f"can't read `{path.name}`: {e.strerror or e}")


def make_tasks(inputs: Sequence[Input], shaping: Shaping) -> list[Task]:
    """Turn inputs into tasks. Raises `InputError` where none of them fits what was asked for."""
    if not inputs:
        raise InputError("there are no inputs: the file or folder is empty")
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
    """Return the column that is the task where no template says so: the same one for every input."""
    known = [shaping.columns.get(name, name) for name in columns]
    found = next((name for name in _TASK_FIELDS if name in known), None)
    return known[0] if found is None and len(known) == 1 else found


def _check_columns(columns: Sequence[str], shaping: Shaping) -> None:
    shown = ", ".join(f"`{name}`" for name in columns) or "none"
    renamed = list(shaping.columns.values())
    if len(set(renamed)) < len(renamed):
        raise InputError("two columns are mapped to one name", hint="Give each `--map` a name of its own.")
    if shaping.template is not None and not shaping.template.strip():
        raise InputError("the task is empty", hint='Write one with columns in it: --input "Judge {{COLUMN}}"')
    if shaping.template is not None and not placeholders(shaping.template):
        raise InputError(
            "the task has no placeholder, so every input would be asked the same",
            hint="Put a column in it, in two braces: {{" + (columns[0] if columns else "COLUMN") + "}}",
        )
    for column in shaping.columns:
        if column not in columns:
            near = nearest(column, columns)
            hint = f"Did you mean `{near[0]}`?" if near else f"The columns are: {shown}."
            raise InputError(f"no input has a column `{column}`", hint=hint)
    known = {shaping.columns.get(name, name) for name in columns}
    if shaping.template is None:
        if columns and not known.intersection(_TASK_FIELDS) and len(known) > 1:
            raise InputError(
                f"the inputs have no column `input`; theirs are: {shown}",
                hint='Say which one is the task, `--map COLUMN=input`, or write one: --input "Judge {{COLUMN}}"',
            )
        return
    missing = [name for name in placeholders(shaping.template) if columns and name not in known]
    if missing:
        raise InputError(
            f"the task has a placeholder `{missing[0]}`, and no input has such a column; theirs are: {shown}",
            hint=f"Map one to it: --map COLUMN={missing[0]}",
        )


def _task(number: int, one: Input, shaping: Shaping, of_task: str | None) -> Task:
    strange = next((name for name, value in one.fields.items() if _is_strange(name) or _is_strange(value)), None)
    if strange is not None:
        one = Input(one.line, {}, f"column {strange!a} holds characters that are no text")
    values = {shaping.columns.get(name, name): value for name, value in one.fields.items()}
    label = next((_words(values[name]) for name in _LABEL_FIELDS if name in values), "")[:_LONGEST_LABEL]
    where = f"line {one.line}" if one.line else f"`{label}`"
    task, error = "", one.error if strange is None else f"{where}: {one.error}"
    if error is None:
        try:
            task = _fill(values, shaping.template, of_task)
            check_task(task)
        except InputError as e:
            task, error = "", f"{where}: {e.message}"
    return Task(number, one.line, task, label, one.fields, error)


def _is_strange(value: JsonValue) -> bool:
    """Half a surrogate pair is no text, and PostgreSQL keeps no NUL."""
    if isinstance(value, str):
        return "\0" in value or any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return any(_is_strange(name) or _is_strange(inner) for name, inner in value.items())
    return isinstance(value, list) and any(map(_is_strange, value))


def _fill(values: Mapping[str, JsonValue], template: str | None, of_task: str | None) -> str:
    if template is None:
        if of_task is None or of_task not in values:
            raise InputError(f"the input has no column `{of_task or 'input'}`")
        return _words(values[of_task])
    missing = [name for name in placeholders(template) if name not in values]
    if missing:
        raise InputError(f"the input has no `{missing[0]}`")
    return _PLACEHOLDER.sub(lambda match: _words(values[match[1]]), template)


def _words(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
