"""Which paths an answer may be written to. They mean the same on every system: what one refuses, all refuse."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)", re.IGNORECASE)
_SHORT_NAME = re.compile(r"[^.]{1,6}~[0-9]", re.IGNORECASE)  # Windows finds `.git` as `GIT~1` too
_KEPT = {".git", ".llm-orc"}
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_FORBIDDEN = set('<>:"|?*\\')
_LONGEST = 240  # bytes of one name: file systems take 255, and the file has a longer one while it is written


def why_unusable(path: str) -> str:
    """Return why no answer may be written to `path`, which is relative; empty: it may."""
    if path.startswith(("/", "\\", "~")) or re.match(r"[A-Za-z]:", path):
        return "is not below the working directory"
    if not path or path.endswith("/"):
        return "names no file"
    return next((why for part in path.split("/") if (why := _why_no_name(part))), "")


def same_file_key(path: str) -> str:
    """Return what is equal for paths that may be the same file on some system."""
    return unicodedata.normalize("NFC", path).casefold()


def _why_no_name(part: str) -> str:
    return next((why for is_so, why in _RULES if is_so(part)), "")


def _is_kept(part: str) -> bool:
    name = unicodedata.normalize("NFKC", part).casefold()
    return name in _KEPT or _SHORT_NAME.match(part) is not None


_RULES: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda part: not part, "has an empty name between its slashes"),
    (lambda part: part in {".", ".."}, "has `.` or `..`, and must stay below the working directory"),
    (lambda part: any(unicodedata.category(c) in _UNSEEN for c in part), "has a character that can't be seen"),
    (lambda part: not _FORBIDDEN.isdisjoint(part), 'has one of `< > : " | ? * \\`, which Windows does not allow'),
    (lambda part: part.endswith((".", " ")), "has a name that ends in a dot or a space, which Windows leaves out"),
    (lambda part: _DEVICE.match(part) is not None, "has a name that is a device on Windows"),
    (_is_kept, "goes into `.git` or `.llm-orc`, where no answer belongs"),
    (lambda part: len(part.encode()) > _LONGEST, f"has a name longer than {_LONGEST} bytes"),
)
