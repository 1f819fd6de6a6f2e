"""Search files for a text, or for a regular expression in time that grows with the texts alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.tool_sources.files.read import refuse_binary, text_lines
from llm_orc.agents.tool_sources.files.secrets import is_secret
from llm_orc.agents.tool_sources.files.walk import Parts, Walk
from llm_orc.agents.tools.tool import ToolFailed
from llm_orc.dataclass import dataclass
from llm_orc.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llm_orc.storage.below.read import Folder

MOST_MATCHES = 200
_LARGEST = 4 * 1024 * 1024  # bytes; larger files are left out
_SHOWN = 300  # characters of a line
_MOST_OF_AUTOMATON = 2**20  # bytes: a pattern whose automaton is larger is refused


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for, below `start`, in the files that match `glob`."""

    pattern: str
    start: Parts = ()
    glob: str = ""
    is_regex: bool = False
    any_case: bool = False
    most: int = MOST_MATCHES


@dataclass(frozen=True, slots=True)
class Found:
    """`lines` as `path:number: line`; `note` says why there may be more; empty: those are all."""

    lines: tuple[str, ...]
    note: str = ""


def search(folder: Folder, query: Query) -> Found:
    """Return the lines with the pattern. Raises `ToolFailed` for a pattern that can't be used, `StorageError`."""
    fits = _matcher(query)
    lines: list[str] = []
    walk = Walk(folder, query.start, query.glob)
    one = folder.kind_of(query.start) == "file"
    files = [query.start] if one else (parts for parts, entry in walk if entry.size <= _LARGEST)
    for parts in files:
        if is_secret(parts):
            continue
        for number, line in _lines(folder, parts):
            if not fits(line):
                continue
            if len(lines) >= query.most:
                return Found(tuple(lines), f"only the first {query.most} lines are shown")
            shown = line.strip() if len(line) <= _SHOWN else f"{line.strip()[:_SHOWN]}…"
            lines.append(f"{'/'.join(parts)}:{number}: {shown}")
    return Found(tuple(lines), walk.why_ended)


def _lines(folder: Folder, parts: Parts) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file with their numbers; none if it is no text, or can't be read."""
    path = "/".join(parts)
    try:
        with folder.file(parts) as opened:
            refuse_binary(opened, path)
            yield from enumerate(text_lines(opened, path), 1)
    except (StorageError, OSError):
        return


def _matcher(query: Query) -> Callable[[str], bool]:
    if not query.is_regex:
        wanted = query.pattern.casefold() if query.any_case else query.pattern
        return (lambda line: wanted in line.casefold()) if query.any_case else (lambda line: wanted in line)
    from jsonschema_rs import (  # noqa: PLC0415 - heavy: only where something is searched for
        Draft202012Validator,
        ReferencingError,
        RegexOptions,
        ValidationError,
    )

    pattern = f"(?i){query.pattern}" if query.any_case else query.pattern
    options = RegexOptions(size_limit=_MOST_OF_AUTOMATON, dfa_size_limit=_MOST_OF_AUTOMATON)
    try:
        return Draft202012Validator({"pattern": pattern}, pattern_options=options).is_valid
    except (ValidationError, ReferencingError, ValueError):
        raise ToolFailed(
            f"`{query.pattern[:80]}` is no usable regular expression; lookaround and back references are none"
        ) from None
