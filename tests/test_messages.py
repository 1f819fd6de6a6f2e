"""Messages have one style (CONTRIBUTING.md): an error starts small and has no full stop; its hint is a sentence.

Read from the source: every construction of an error, with the literal texts that it is given. What click says of a
wrong command line is in `tests/cli/shell/test_usage.py`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import click
import pytest

from llm_orc import errors
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.errors import LlmOrcError
from tests import import_graph

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

ERRORS = {
    *(name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, LlmOrcError)),
    UsageMistake.__name__,
    errors.Problem.__name__,
}
NAMES = ("PostgreSQL", "SQLite", "OAuth", "JSON", "YAML", "UTF-8", "Python", "Windows", "HTTP")
"""Names that a message may begin with, though they have a capital."""

COMMAND = re.compile(r"(llm-orc|claude|codex|ant|pip|npm|chmod|mkdir|export|unset|…)( (?!.*[,;:.] ).*[^.])?")
VALUE = "…"
"""Stands for a value that is known only at run time."""


@dataclass(frozen=True)
class Said:
    """A text that an error is given, and where."""

    module: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.text}"


def texts(node: ast.expr) -> Iterator[str]:
    """Yield the literal texts that the expression can be, with `…` for each value in them."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else VALUE for p in parts)
        case ast.IfExp(body=one, orelse=other):
            yield from texts(one)
            yield from texts(other)
        case ast.BoolOp(values=choices):
            for choice in choices:
                yield from texts(choice)
        case _:
            pass  # a value that is known only at run time


@cache
def all_calls() -> list[tuple[str, str, ast.Call]]:
    """Every call in the source: its module, what is called, and the call."""
    found = []
    for module, tree in import_graph.modules().items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                    found.append((module, name, node))
                case _:
                    pass
    return found


def calls(names: Collection[str] = ERRORS) -> Iterator[tuple[str, ast.Call]]:
    return ((module, call) for module, name, call in all_calls() if name in names)


def messages(names: Collection[str] = ERRORS) -> list[Said]:
    return [
        Said(module, call.lineno, text)
        for module, call in calls(names)
        for arg in call.args[:1]
        for text in texts(arg)
        if text
    ]


def hints() -> list[Said]:
    return [
        Said(module, call.lineno, text)
        for module, call in calls()
        for word in call.keywords
        if word.arg == "hint"
        for text in texts(word.value)
        if text
    ]


def starts_small(text: str) -> bool:
    return text.startswith(NAMES) or not re.match(r"[A-Z]", text)


def is_hint(text: str) -> bool:
    if COMMAND.fullmatch(text):
        return True
    return bool(re.match(r"[A-Z`…]", text)) and text.endswith((".", "?", VALUE))


def test_every_message_starts_small_and_has_no_full_stop() -> None:
    found = messages()

    assert len(found) > 200
    assert [str(one) for one in found if not starts_small(one.text) or re.search(r"\w\.$", one.text)] == []


def test_what_is_wrong_with_a_value_is_said_in_the_same_style() -> None:
    """`fail` is click's function for types of values."""
    found = messages({"fail"})

    assert found != []
    assert [str(one) for one in found if not starts_small(one.text) or re.search(r"\w\.$", one.text)] == []


def test_wrong_usage_is_an_error_of_ours() -> None:
    """Click's own errors have no hint."""
    of_click = {name for name in vars(click.exceptions) if name.endswith(("Error", "Usage", "Parameter"))}

    assert {"UsageError", "BadParameter"} <= of_click
    assert [f"{module}:{call.lineno}" for module, call in calls(of_click)] == []


def test_every_hint_is_a_sentence_or_a_command() -> None:
    found = hints()

    assert len(found) > 150
    assert [str(one) for one in found if not is_hint(one.text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "Wait until it ends.",
        "Did you mean `panel`?",
        "llm-orc runs list",
        "`--rehearse` costs nothing.",
        "… --help",
    ],
)
def test_a_hint_in_the_style_passes(text: str) -> None:
    assert is_hint(text)


@pytest.mark.parametrize("text", ["wait until it ends", "Wait", "Run it: llm-orc runs list", "llm-orc runs list."])
def test_a_hint_of_another_style_does_not(text: str) -> None:
    assert not is_hint(text)
