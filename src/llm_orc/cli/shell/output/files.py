"""Where output may go: to a writable path that is neither an input nor one of the program's own files."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.cli.shell.usage import UsageMistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

_STDIN, _STDOUT = 0, 1
_ELSEWHERE = "Write the output to another file: `--output FILE`."
_OURS = ("*.sqlite*", "config.yaml", "trust.json", "credentials*", "*.key", "*.enc")


def check_output(_context: click.Context, _option: click.Parameter, file: str | None) -> str | None:
    """Refuse the program's own files and the file behind standard input (a callback of click)."""
    if file is None:
        return None
    path = Path(file).expanduser()
    if _same_as_descriptor(path, _STDIN):
        raise UsageMistake(f"`{file}` is what standard input reads, and would be replaced", hint=_ELSEWHERE)
    if any(_same(path, own) for own in _own_files()):
        raise UsageMistake(f"`{file}` is a file of llm-orc's own, and would be replaced", hint=_ELSEWHERE)
    return file


def output_place(output_file: str | None) -> Path | None:
    """Return the path to write to; refuse one that can't be written, before anything is spent."""
    if output_file is None:
        return None
    path = Path(output_file).expanduser().absolute()
    if path.is_dir():
        raise UsageMistake(
            f"`{path}` is a folder", hint=f"Write to a file in it: `--output {path / 'rows.jsonl'}`."
        )
    if not path.parent.is_dir():
        raise no_folder(path.parent)
    if not os.access(path if path.exists() and not path.is_file() else path.parent, os.W_OK):
        raise UsageMistake(f"`{path}` can't be written to", hint=_ELSEWHERE)
    return path


def no_folder(folder: Path) -> UsageMistake:
    return UsageMistake(f"there is no folder `{folder}` to write to", hint="Create it first, or write elsewhere.")


def refuse_to_replace(output: Path | None, *read: str | Path | None) -> None:
    """Raise `UsageMistake` if output would overwrite an input file, or go into an input folder.

    Links count as their targets. Standard output counts too: `>> inputs.jsonl` adds results to the inputs.
    """
    for place in read:
        if str(place) == "-" and _is_read_and_written():
            raise UsageMistake("standard input and standard output are the same file", hint=_ELSEWHERE)
        if place is None or str(place) in {"", "-"}:
            continue
        path = Path(place).expanduser()
        if path.is_dir():
            if output is not None and output.resolve().is_relative_to(path.resolve()):
                raise UsageMistake(
                    f"`{output}` is in the folder of the inputs, and would be one of them", hint=_ELSEWHERE
                )
            continue
        if (output is not None and _same(output, path)) or _same_as_descriptor(path, _STDOUT):
            raise UsageMistake(f"`{place}` is an input, and the output would change it", hint=_ELSEWHERE)


def _own_files() -> Iterator[Path]:
    from llm_orc.storage.paths import user_paths

    paths = user_paths(os.environ, sys.platform, Path.home())
    for folder in {paths.config, paths.state}:
        for pattern in _OURS:
            yield from folder.glob(pattern)


def _is_read_and_written() -> bool:
    try:
        read, written = os.fstat(_STDIN), os.fstat(_STDOUT)
    except OSError:
        return False
    return stat.S_ISREG(read.st_mode) and os.path.samestat(read, written)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _same_as_descriptor(path: Path, descriptor: int) -> bool:
    try:
        there, of = path.stat(), os.fstat(descriptor)
    except OSError:
        return False
    return stat.S_ISREG(there.st_mode) and os.path.samestat(there, of)
