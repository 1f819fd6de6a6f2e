"""`files.read`, `files.list` and `files.search`: what an agent may see below a root."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llm_orc.agents.tool_sources.arguments import integer, text, truth
from llm_orc.agents.tool_sources.files.read import MOST_LINES, read_lines
from llm_orc.agents.tool_sources.files.search import MOST_MATCHES, Query, search
from llm_orc.agents.tool_sources.files.secrets import is_secret
from llm_orc.agents.tool_sources.files.walk import Walk
from llm_orc.agents.tools.tool import Tool, ToolFailed, ToolResult
from llm_orc.errors import StorageError
from llm_orc.storage.below.names import parts_of
from llm_orc.storage.below.read import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from llm_orc.agents.tools.tool import ToolUse
    from llm_orc.jsontypes import JsonValue

Arguments = dict[str, "JsonValue"]
_MOST_ENTRIES = 1000
_PATH: JsonValue = {"type": "string", "description": "Relative to the root, with `/` between names."}
_FOLDER: JsonValue = {
    "type": "string",
    "description": "A folder relative to the root; the root itself if left out.",
}
_GLOB: JsonValue = {
    "type": "string",
    "description": "Only files whose paths match, e.g. `*.py` (at any depth) or `src/**/*.{ts,tsx}`.",
}


class FilesSource:
    """A `Source` of files below `root`; nothing in the folders `closed` is shown."""

    def __init__(self, root: Path, closed: Iterable[Path] = ()) -> None:
        self._folder = Folder(root, closed)

    async def tools(self, name: str) -> tuple[Tool, ...]:
        return tuple(tool for tool in self._all() if tool.name == name)

    async def close(self) -> None:
        return

    def _all(self) -> Iterable[Tool]:
        yield self._tool(
            "files.read",
            f"Read a text file. Lines come with their numbers, at most {MOST_LINES} at once.",
            {
                "path": _PATH,
                "offset": {"type": "integer", "minimum": 1, "description": "The first line, counted from 1."},
                "limit": {"type": "integer", "minimum": 1, "description": "How many lines."},
            },
            ["path"],
            self._read,
        )
        yield self._tool(
            "files.list",
            "List a folder, one level of it; with `glob`, all files below it that match. Names of folders end"
            " with `/`. With `glob`, files that `.gitignore` names are left out.",
            {"path": _FOLDER, "glob": _GLOB},
            [],
            self._list,
        )
        yield self._tool(
            "files.search",
            "Search the lines of text files, and return `path:line: text`. Files that `.gitignore` names are left"
            " out, and binary and very large ones.",
            {
                "pattern": {"type": "string", "minLength": 1, "maxLength": 1000, "description": "What to find."},
                "path": {"type": "string", "description": "A folder or file to search in; all if left out."},
                "glob": _GLOB,
                "regex": {
                    "type": "boolean",
                    "description": "Whether `pattern` is a regular expression, without lookaround and back"
                    " references; else it is found as it is written.",
                },
                "ignore_case": {"type": "boolean"},
                "limit": {"type": "integer", "minimum": 1, "maximum": MOST_MATCHES},
            },
            ["pattern"],
            self._search,
        )

    def _tool(
        self,
        name: str,
        description: str,
        properties: dict[str, JsonValue],
        required: list[JsonValue],
        work: Callable[[Arguments], str],
    ) -> Tool:
        async def call(_use: ToolUse, arguments: Arguments) -> ToolResult:
            try:
                return ToolResult(await asyncio.to_thread(work, arguments))
            except (StorageError, ToolFailed) as e:
                return ToolResult(str(e), is_error=True)

        schema: dict[str, JsonValue] = {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }
        return Tool(name, description, schema, call, acts=False, is_idempotent=True)

    def _read(self, arguments: Arguments) -> str:
        path = text(arguments, "path")
        parts = parts_of(path)
        if is_secret(parts):
            raise ToolFailed(f"`{'/'.join(parts)}` may have secrets, so it is not shown")
        offset, limit = integer(arguments, "offset", 1), integer(arguments, "limit", MOST_LINES)
        with self._folder.file(parts) as opened:
            found = read_lines(opened, "/".join(parts), offset, limit)
        if not found.lines:
            return "(the file is empty)"
        shown = "\n".join(f"{number}\t{line}" for number, line in enumerate(found.lines, found.first))
        after = found.first + len(found.lines)
        return f"{shown}\n\n(more lines follow: go on with `offset: {after}`)" if found.more else shown

    def _list(self, arguments: Arguments) -> str:
        start, glob = parts_of(text(arguments, "path")), text(arguments, "glob")
        self._refuse_secret_folder(start)
        note = ""
        lines: list[str] = []
        if glob:
            walk = Walk(self._folder, start, glob)
            for parts, entry in walk:
                if len(lines) >= _MOST_ENTRIES:
                    note = f"only the first {_MOST_ENTRIES} are shown"
                    break
                lines.append(f"{'/'.join(parts)}\t{entry.size}")
            note = note or walk.why_ended
        else:
            entries = self._folder.entries(start)
            marks = {"folder": "/", "link": "\t(a link, not followed)", "other": "\t(not a plain file)"}
            lines = [
                f"{'/'.join((*start, entry.name))}{marks.get(entry.kind) or f'{chr(9)}{entry.size}'}"
                for entry in entries[:_MOST_ENTRIES]
            ]
            if len(entries) > _MOST_ENTRIES:
                note = f"only the first {_MOST_ENTRIES} of {len(entries)} are shown"
        nothing = "(no file matches)" if glob else "(the folder is empty)"
        return "\n".join([*(lines or [nothing]), *([f"({note})"] if note else [])])

    def _search(self, arguments: Arguments) -> str:
        start = parts_of(text(arguments, "path"))
        self._refuse_secret_folder(start)
        query = Query(
            text(arguments, "pattern"),
            start,
            text(arguments, "glob"),
            is_regex=truth(arguments, "regex"),
            any_case=truth(arguments, "ignore_case"),
            most=integer(arguments, "limit", MOST_MATCHES),
        )
        found = search(self._folder, query)
        lines = found.lines or ("(no line matches)",)
        return "\n".join([*lines, *([f"({found.note})"] if found.note else [])])

    def _refuse_secret_folder(self, parts: tuple[str, ...]) -> None:
        if is_secret((*parts, "x")):
            raise ToolFailed(f"`{'/'.join(parts)}` may have secrets, so it is not shown")
