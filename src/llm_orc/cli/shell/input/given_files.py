"""The files of a command line: `--attach`, and the inputs that `--set` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from llm_orc.app.runs.inputs import given_inputs
from llm_orc.cli.shell.input.standard_input import STANDARD_INPUT, STDIN, read_standard_input
from llm_orc.cli.shell.input.text_file import read_text_file
from llm_orc.cli.shell.usage import UsageMistake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llm_orc.app.files.given import GivenFiles
    from llm_orc.app.files.read import FileReader
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.parts import FileRef

_FILE_TYPES = frozenset({"file", "files"})

Decorated = TypeVar("Decorated", bound="Callable[..., object]")


def attach_option(function: Decorated) -> Decorated:
    """Add `--attach` to a command: its parameter is `attached`."""
    option = click.option(
        "-a",
        "--attach",
        "attached",
        metavar="FILE",
        multiple=True,
        type=click.Path(allow_dash=True),
        help="A file that goes with the task, such as an image or a PDF; repeatable. `-` is standard input.",
    )
    return option(function)


def read_given(
    app: App, ensemble: Ensemble | None, given: Mapping[str, str], attached: Sequence[str] = (), *others: str
) -> tuple[dict[str, JsonValue], GivenFiles]:
    """Return the inputs that `--set` gives, and all files that were read for them and for `--attach`.

    `others` are the files of other options, which may be standard input too. Raises `InputError`, `UsageMistake`.
    """
    _refuse_twice([*(value for value in given.values() if value.startswith("@")), *attached, *others])
    is_without = not attached and (ensemble is None or all(s.type not in _FILE_TYPES for s in ensemble.inputs))
    if is_without:  # nothing of what reads files is loaded
        from llm_orc.app.files.given import NO_FILES_GIVEN

        return _inputs(ensemble, given, None), NO_FILES_GIVEN
    from llm_orc.app.files.given import GivenFiles
    from llm_orc.app.files.read import FileReader

    reader = FileReader(app)
    inputs = _inputs(ensemble, given, reader)
    files = tuple(_attached(one, reader, "`--attach`") for one in attached)
    return inputs, GivenFiles(files, reader.contents)


def _inputs(
    ensemble: Ensemble | None, given: Mapping[str, str], reader: FileReader | None
) -> dict[str, JsonValue]:
    if ensemble is None:
        return {}
    types = {spec.name: spec.type for spec in ensemble.inputs}
    texts: dict[str, JsonValue] = {}
    files: dict[str, JsonValue] = {}
    for name, value in given.items():
        if types.get(name) in _FILE_TYPES and reader is not None:
            files[name] = _file_input(ensemble, name, value, reader)
        else:
            texts[name] = _text(name, value)
    return {**given_inputs(ensemble, texts, texts=True), **given_inputs(ensemble, files)}


def _file_input(ensemble: Ensemble, name: str, value: str, reader: FileReader) -> JsonValue:
    from llm_orc.agents.files.ref import as_json
    from llm_orc.app.files.given import take_input

    spec = next(one for one in ensemble.inputs if one.name == name)
    path = value.removeprefix("@")
    if value == f"@{STDIN}":
        found = as_json(_attached(STDIN, reader, f"`--set {name}`"))
        return found if spec.type == "file" else [found]
    if not path:
        raise UsageMistake(f"`--set {name}` names no file", hint=f"Write `--set {name}=FILE`.")
    return take_input(spec, path, reader, f"`--set {name}`")


def _attached(written: str, reader: FileReader, what: str) -> FileRef:
    if written in {STDIN, f"@{STDIN}"}:
        return reader.of_bytes("", read_standard_input(reader.most_bytes), f"{what}: {STANDARD_INPUT}")
    return reader.read(written, what)


def _text(name: str, value: str) -> str:
    """Return the value; `@FILE` is a file's text, `@-` standard input, `@@…` a value that begins with `@`."""
    if value.startswith("@@"):
        return value[1:]
    return read_text_file(value[1:], f"`--set {name}`") if value.startswith("@") else value


def _refuse_twice(written: Sequence[str]) -> None:
    if sum(one.removeprefix("@") == STDIN for one in written) > 1:
        raise UsageMistake("standard input can be read only once", hint="Give `-` once.")
