"""What each module of the package imports: when it is loaded, and later, inside its functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"


@cache
def modules() -> dict[str, ast.Module]:
    """Return every module of the package, parsed, by its name."""
    found = {}
    for path in sorted((SOURCE / "llm_orc").rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


@cache
def loaded_with(module: str) -> frozenset[str]:
    """Return all modules, ours and others', that loading `module` loads, as far as they are written in ours."""
    found, line = {module}, [module]
    while line:
        tree = modules().get(line.pop())
        for target in () if tree is None else _targets(_at_load(tree.body)):
            for name in _with_packages(target):
                if name not in found:
                    found.add(name)
                    line.append(name)
    return frozenset(found)


def imported_later(module: str) -> list[tuple[int, str]]:
    """Return (line, module) of each import inside a function of `module`."""
    functions = (n for n in ast.walk(modules()[module]) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    inside = {
        n for function in functions for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom)
    }
    return sorted((node.lineno, target) for node in inside for target in _targets([node]))


def _at_load(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield from _at_load(node.orelse)
            case ast.If():
                yield from _at_load([*node.body, *node.orelse])
            case ast.Try():
                yield from _at_load([*node.body, *(s for handler in node.handlers for s in handler.body)])
            case _:
                yield node


def _targets(nodes: Iterator[ast.stmt] | list[ast.Import | ast.ImportFrom]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in modules() else node.module


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: n + 1]) for n in range(len(parts)))
