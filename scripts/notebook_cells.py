"""Run the cells of a notebook: read their texts as JSON, write what each displays as JSON.

As in Jupyter, `await` works at the top of a cell, and the value of a last expression is displayed.
"""

from __future__ import annotations

import ast
import asyncio
import json
import sys
from contextlib import redirect_stdout
from inspect import CO_COROUTINE
from io import StringIO


async def display(cell: str, names: dict[str, object]) -> str:
    """Return what `cell` prints, and after it the value of its last expression."""
    tree = ast.parse(cell)
    if tree.body and isinstance(last := tree.body[-1], ast.Expr):
        tree.body[-1] = ast.copy_location(ast.Assign([ast.Name("_", ast.Store())], last.value), last)
    code = compile(ast.fix_missing_locations(tree), "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names["_"] = None
    with redirect_stdout(StringIO()) as printed:
        value = eval(code, names)  # noqa: S307
        if code.co_flags & CO_COROUTINE:
            await value
    shown = "" if names["_"] is None else f"{names['_']!r}\n"
    return printed.getvalue() + shown


async def main() -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    json.dump([await display(cell, names) for cell in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
