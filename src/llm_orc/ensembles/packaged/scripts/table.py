"""Write a table as CSV: the columns of the input `columns`, and for each row its quote and whether that was found.

Reads `evidence`, whose rows are in `all`. Nothing is left out: a row without evidence says so.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys

# What a spreadsheet takes for a formula; see RFC 4180 for the rest.
_FORMULA = ("=", "+", "-", "@", "\t", "\n", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER = re.compile(r"[+-]?\d[\d ,._]*(?:[eE][+-]?\d+)?\s?%?")


def main() -> None:
    told = json.load(sys.stdin)
    columns = [column.strip() for column in told["inputs"]["columns"].split(",") if column.strip()]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*columns, "quote", "found"])
    for row in told["dependencies"]["evidence"]["data"]["all"]:
        cells = {cell["column"].strip().casefold(): cell["value"] for cell in row["cells"]}
        values = [cells.get(column.casefold(), "") for column in columns]
        table.writerow([*map(safe, [*values, row["quote"]]), "yes" if row["found"] else "no"])
    sys.stdout.buffer.write(text.getvalue().encode("utf-8", "replace"))


def safe(cell: str) -> str:
    """Return the cell with `'` before it if a spreadsheet would run it as a formula."""
    shown = " ".join(cell.split())
    return f"'{shown}" if shown.startswith(_FORMULA) and not _NUMBER.fullmatch(shown) else shown


if __name__ == "__main__":
    main()
