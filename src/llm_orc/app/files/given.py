"""The files of a new run: those of its inputs, those that came with its task, those that its ensemble names."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.agents.files.ref import as_json, files_of
from llm_orc.agents.kinds import all_agents
from llm_orc.agents.references.syntax import is_special
from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.parts import FileRef

if TYPE_CHECKING:
    from llm_orc.agents.inputs.spec import InputSpec
    from llm_orc.app.files.read import FileReader
    from llm_orc.ensembles.ensemble import Ensemble

FILE_TYPES = ("file", "files")


@dataclass(frozen=True, slots=True)
class FileData:
    """A file that a program gives by its content, in place of a path."""

    name: str
    data: bytes = field(repr=False)


FileLike = str | os.PathLike[str] | FileData
InputValue = JsonValue | os.PathLike[str] | FileData | Sequence[os.PathLike[str] | FileData]
"""What a program gives as the value of an input: JSON, and a path or `FileData` for a file."""


@dataclass(frozen=True, slots=True)
class GivenFiles:
    """Those that came with the task, and the contents of all that were read for the run, by SHA-256."""

    files: tuple[FileRef, ...] = ()
    contents: Mapping[str, bytes] = field(default_factory=dict, repr=False)


NO_FILES_GIVEN = GivenFiles()


def take(file: FileLike, reader: FileReader, what: str) -> FileRef:
    """Read one file. Raises `InputError`, which begins with `what`."""
    if isinstance(file, FileData):
        return reader.of_bytes(file.name, file.data, f"{what}: `{file.name[:200]}`")
    return reader.read(Path(file), what)


def take_input(spec: InputSpec, value: InputValue, reader: FileReader, what: str) -> JsonValue:
    """Return the value of an input of the type `file` or `files`: a path, or several, is read.

    `what` begins the message of an `InputError`, such as `--set report`.
    """
    if value is None:
        return None
    if spec.type == "file":
        if not isinstance(value, str | os.PathLike | FileData):
            raise InputError(f"{what} must be the path of a file")
        return as_json(take(value, reader, what))
    return [as_json(one) for one in _take_all(value, reader, what)]


def _take_all(value: InputValue, reader: FileReader, what: str) -> list[FileRef]:
    if isinstance(value, FileData):
        return [take(value, reader, what)]
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError as e:
            raise InputError(f"{what}: this is no JSON list of paths: {e}") from None
    if isinstance(value, str | os.PathLike):
        return reader.read_all(Path(value), what)
    if not isinstance(value, Sequence) or not all(isinstance(one, str | os.PathLike | FileData) for one in value):
        raise InputError(f"{what} must be a list of paths, or one of a folder")
    return [take(one, reader, what) for one in value if isinstance(one, str | os.PathLike | FileData)]


def take_inputs(ensemble: Ensemble, values: Mapping[str, InputValue], reader: FileReader) -> dict[str, JsonValue]:
    """Return the values with the files read. Raises `InputError`."""
    specs = {spec.name: spec for spec in ensemble.inputs if spec.type in FILE_TYPES}
    taken: dict[str, JsonValue] = {}
    for name, value in values.items():
        if name in specs:
            taken[name] = take_input(specs[name], value, reader, f"input `{name}`")
        elif isinstance(value, os.PathLike | FileData):
            raise InputError(
                f"input `{name[:80]}` of ensemble `{ensemble.name}` takes no file",
                hint=f"Declare it: `inputs: {{{name[:80]}: file}}`.",
            )
        else:
            taken[name] = value  # type: ignore[assignment]  # whatever else is no JSON is refused with the inputs
    return taken


def check_given(ensemble: Ensemble, inputs: Mapping[str, JsonValue], given: GivenFiles) -> None:
    """Raise `InputError` if the value of an input is a file that was not read for this run."""
    for spec in ensemble.inputs:
        for file in (files_of(inputs.get(spec.name)) or ()) if spec.type in FILE_TYPES else ():
            if file.sha256 not in given.contents:
                raise InputError(f"input `{spec.name}` must be the path of a file")


def named_files(ensemble: Ensemble, reader: FileReader) -> dict[str, FileRef]:
    """Read the files that agents name themselves, by their paths. Raises `InputError`."""
    found: dict[str, FileRef] = {}
    for path, spec in all_agents(ensemble):
        for written in spec.attachments or ():
            if not is_special(written) and written not in found:
                found[written] = reader.read(written, f"`attachments` of agent `{path}`")
    return found
