"""Keep what has evidence: items whose quote stands in the task, line breaks and spaces apart.

Two parameters: `list` is the field of each answer with its items (`items`), and `quote` the field of an item with
its quote (`quote`). Each item has `found` then, and `kept` has those that were.
"""

from __future__ import annotations

import json
import sys
from typing import Any

_MARKS = ("+", "-", " ")  # of a diff, at the beginning of a line


def main() -> None:
    told = json.load(sys.stdin)
    text = told["task"]
    given = told["parameters"]
    answers = told["dependencies"].values()
    lists = (one["data"].get(given.get("list", "items")) for one in answers if isinstance(one["data"], dict))
    every = [
        {**item, "found": stands_in(str(item.get(given.get("quote", "quote"), "")), text)}
        for found in lists
        if isinstance(found, list)
        for item in found
        if isinstance(item, dict)
    ]
    kept = [item for item in every if item["found"]]
    write({"all": every, "kept": kept, "dropped": len(every) - len(kept)})


def stands_in(quote: str, text: str) -> bool:
    """Return whether the quote stands in the text: of a diff also in what was there before, and is after it.

    One without a letter or digit is none.
    """
    if not any(map(str.isalnum, quote)):
        return False
    wanted = {one_line(quote), one_line(unmarked(quote))}
    texts = [one_line(text), *(one_line(unmarked(text, without)) for without in ("", "-", "+"))]
    return any(one in whole for one in wanted for whole in texts)


def one_line(text: str) -> str:
    return " ".join(text.split())


def unmarked(text: str, without: str = "") -> str:
    """Return the text without the marks of a diff, and without the lines that have the mark `without`."""
    lines = (line for line in text.splitlines() if not without or not line.startswith(without))
    return "\n".join(line[1:] if line.startswith(_MARKS) else line for line in lines)


def write(document: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
