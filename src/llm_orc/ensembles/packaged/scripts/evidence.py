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
    """Return whether the quote stands in the text; one without a letter or digit is none."""
    if not any(map(str.isalnum, quote)):
        return False
    return one_line(quote) in one_line(text) or one_line(unmarked(quote)) in one_line(unmarked(text))


def one_line(text: str) -> str:
    return " ".join(text.split())


def unmarked(text: str) -> str:
    """Return the text without the marks of a diff: changed lines are quoted with and without them."""
    return "\n".join(line[1:] if line[:1] in _MARKS else line for line in text.splitlines())


def write(document: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
