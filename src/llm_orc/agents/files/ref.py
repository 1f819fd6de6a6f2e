"""A file that a run is given. As JSON it is `{"file": {"name": …, "type": …, "size": …, "sha256": …}}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llm_orc.providers.parts import FileRef

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue

_KEYS = {"name", "type", "size", "sha256"}
_SHA256 = re.compile(r"[0-9a-f]{64}")
FIELDS = ("name", "type", "size", "text", "path")
"""What a reference may name of a file: `${inputs.report.text}`."""


def as_json(file: FileRef) -> JsonValue:
    """Return the value of an input that is this file."""
    return {"file": {"name": file.name, "type": file.media_type, "size": file.size, "sha256": file.sha256}}


def file_of(value: JsonValue) -> FileRef | None:
    """Return the file that a value stands for; None: it stands for none."""
    if not isinstance(value, dict) or len(value) != 1 or not isinstance(of := value.get("file"), dict):
        return None
    name, kind, size, sha256 = of.get("name"), of.get("type"), of.get("size"), of.get("sha256")
    if of.keys() != _KEYS or not isinstance(name, str) or not isinstance(kind, str):
        return None
    if isinstance(size, bool) or not isinstance(size, int) or not isinstance(sha256, str):
        return None
    return FileRef(name, kind, size, sha256) if _SHA256.fullmatch(sha256) else None


def files_of(value: JsonValue) -> tuple[FileRef, ...] | None:
    """Return the files that a value stands for: one, or a list of them; None: it stands for something else."""
    if not isinstance(value, list):
        return None if (one := file_of(value)) is None else (one,)
    found = [file_of(one) for one in value]
    return None if None in found else tuple(one for one in found if one is not None)


def as_names(value: JsonValue) -> JsonValue:
    """Return the value with the names of files in place of them: what a text says of a file."""
    if isinstance(value, dict):
        return value if (one := file_of(value)) is None else one.name
    if isinstance(value, list) and value and (found := files_of(value)) is not None:
        return [one.name for one in found]
    return value
