"""What each module of the package imports: when it is loaded, and later, inside its functions."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"


@cache
def modules() -> dict[str, ast.Module]:
    """Return every module of the package, parsed, by its name."""
    found = {}
    gc.disable()  # millions of nodes, of which none is garbage, took most of the time
    try:
        for path in sorted((SOURCE / "llm_orc").rglob("*.py")):
            name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    finally:
        gc.freeze()
        gc.enable()
    return found


@cache
def loaded_with(module: str) -> frozenset[str]:
    """Return all modules, ours and others', that loading `module` loads, as far as they are written in ours."""
    found, line = {module}, [module]
    while line:
        new = _imported_by(line.pop()) - found
        found |= new
        line += new
    return frozenset(found)


@cache
def _imported_by(module: str) -> frozenset[str]:
    """Return what `module` itself imports when it is loaded, with the packages around that."""
    tree = modules().get(module)
    targets = () if tree is None else _targets(_at_load(tree.body))
    return frozenset(name for target in targets for name in _with_packages(target))


def imported_later(module: str) -> list[tuple[int, str]]:
    """Return (line, module) of each import inside a function of `module`."""
    nodes = _inside_functions(modules()[module], inside=False)
    return sorted((node.lineno, target) for node in nodes for target in _targets([node]))


def _inside_functions(node: ast.AST, *, inside: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Return the imports inside functions; expressions hold no import and are left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            if inside:
                yield child
        elif isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from _inside_functions(child, inside=inside or is_function)


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
