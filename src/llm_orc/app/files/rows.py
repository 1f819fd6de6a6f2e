"""The files of a batch's rows: columns with paths become files, which are read again when the batch is stored."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.agents.files.ref import as_json
from llm_orc.app.files.given import FILE_TYPES
from llm_orc.app.files.read import FileReader
from llm_orc.errors import InputError
from llm_orc.jsontypes import JsonValue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llm_orc.agents.inputs.spec import InputSpec
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble

Fields = dict[str, JsonValue]
Contents = dict[str, "Callable[[], bytes]"]
"""What reads each content again, by SHA-256."""


def input_of_folder(ensemble: Ensemble, given: Mapping[str, object]) -> str | None:
    """Return the input that each file of a folder is; None: rows have the texts of the files."""
    files = [spec for spec in ensemble.inputs if spec.type == "file" and spec.name not in given]
    required = [spec for spec in files if spec.is_required]
    found = files if len(files) == 1 else required
    return found[0].name if len(found) == 1 else None


def with_files(
    app: App, ensemble: Ensemble, rows: Sequence[Fields], columns: Mapping[str, str], base: Path
) -> tuple[list[tuple[Fields, str | None]], Contents]:
    """Return the rows with files in place of the paths in columns of files, and what reads these again.

    `columns` renames columns; paths are relative to `base`. A row whose file can't be read stays as it is, and has
    the reason beside it.
    """
    specs = {spec.name: spec for spec in ensemble.inputs if spec.type in FILE_TYPES}
    reader = FileReader(app, keeps=False)
    taken = [_taken(fields, specs, columns, base, reader) for fields in rows]
    return taken, {sha256: partial(_again, path, sha256) for sha256, path in reader.paths.items()}


def _taken(
    fields: Fields, specs: Mapping[str, InputSpec], columns: Mapping[str, str], base: Path, reader: FileReader
) -> tuple[Fields, str | None]:
    found: Fields = {}
    try:
        for column, value in fields.items():
            spec = specs.get(columns.get(column, column))
            is_path = spec is not None and value is not None and value != ""
            what = f"column `{column[:80]}`"
            found[column] = _value(spec, value, what, base, reader) if spec is not None and is_path else value
    except InputError as e:
        return fields, e.message
    return found, None


def _value(spec: InputSpec, value: JsonValue, what: str, base: Path, reader: FileReader) -> JsonValue:
    if spec.type == "file":
        if not isinstance(value, str):
            raise InputError(f"{what} must be the path of a file")
        return as_json(reader.read(base / Path(value).expanduser(), what))
    if isinstance(value, str):
        return [as_json(one) for one in reader.read_all(base / Path(value).expanduser(), what)]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InputError(f"{what} must be a list of paths, or one of a folder")
    return [as_json(reader.read(base / Path(str(one)).expanduser(), what)) for one in value]


def _again(path: Path, sha256: str) -> bytes:
    """Return the content that was read for the plan. Raises `InputError` if the file says something else now."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise InputError(f"can't read `{path}`: {e.strerror or e}") from e
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(f"`{path}` has changed while the batch was planned", hint="Give the command again.")
    return data
