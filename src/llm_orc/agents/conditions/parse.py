"""Read a condition. The grammar is that of CEL, without what computes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

from llm_orc.agents.conditions.syntax import (
    BadCondition,
    Both,
    Compare,
    Comparison,
    Condition,
    Constant,
    Either,
    Has,
    IsSet,
    ListOf,
    Node,
    Not,
    Size,
    Value,
)
from llm_orc.agents.conditions.tokens import tokens_of
from llm_orc.storage.suggest import closest_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llm_orc.agents.conditions.tokens import Token

_COMPARISONS: Mapping[str, Comparison] = {
    "==": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "in": "in",
}  # fmt: skip
_WORDS = {"and": "&&", "or": "||", "not": "!", "AND": "&&", "OR": "||", "NOT": "!"}
_DEEPEST = 50  # parentheses
_MOST_JOINED = 100  # `&&` and `||`; each is as deep as those before it together
_LONGEST = 4000  # characters
# `${a.f} == word`, as earlier releases have it: the word is a text.
_OLDER = re.compile(r"(\s*\$\{[^{}\n]*\}\s*==\s*)([A-Za-z_][A-Za-z0-9_./:-]*(?: [A-Za-z0-9_./:-]+)*)\s*")
_KEPT = {"true", "false", "null"}


@lru_cache(maxsize=1024)
def parse_condition(text: str) -> Condition:
    """Read a condition. Raises `BadCondition` with the place."""
    if not text.strip():
        raise BadCondition("the condition is empty", 0, len(text))
    if len(text) > _LONGEST:
        raise BadCondition(f"the condition has more than {_LONGEST} characters", 0, len(text))
    older = _OLDER.fullmatch(text)
    if older is not None and older[2].casefold() not in _KEPT:
        text_of_word = Constant(older.start(2), older.end(2), older[2])
        left = _Parser(older[1].rpartition("==")[0]).whole()
        if isinstance(left, IsSet):
            left = Value(left.start, left.end, left.reference)
        return Condition(text, Compare(left.start, older.end(2), "==", left, text_of_word))
    return Condition(text, _Parser(text).whole())


def _leaf(token: Token) -> Node:
    if token.reference is not None:
        return Value(token.start, token.end, token.reference)
    return Constant(token.start, token.end, token.value)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = tokens_of(text)
        self._at = 0
        self._depth = 0
        self._joined = 0

    def whole(self) -> Node:
        node = self._either()
        if self._next.kind != "end":
            self._unexpected()
        is_alone = len(self._tokens) == 2  # it, and the end
        return IsSet(node.start, node.end, node.reference) if isinstance(node, Value) and is_alone else node

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at += token.kind != "end"
        return token

    def _accepts(self, operator: str) -> bool:
        if self._next.kind == "operator" and self._next.text == operator:
            self._at += 1
            return True
        return False

    def _expects(self, operator: str, why: str) -> Token:
        token = self._next
        if not self._accepts(operator):
            raise BadCondition(f"`{operator}` is missing {why}", token.start, max(token.end, token.start))
        return token

    def _unexpected(self) -> NoReturn:
        token = self._next
        if token.kind == "end":
            raise BadCondition("the condition ends too early", token.start, token.end)
        if token.text in _WORDS:
            raise BadCondition(
                f"`{token.text}` is no operator", token.start, token.end, f"Write `{_WORDS[token.text]}`."
            )
        if token.kind == "word":
            near = closest_names(token.text, ["true", "false", "null", "in", "size", "has"])
            hint = f"Did you mean `{near[0]}`?" if near and near[0] != token.text else "A text stands in quotes."
            raise BadCondition(f"`{token.text}` is not known in a condition", token.start, token.end, hint)
        if token.text in _COMPARISONS:
            raise BadCondition(
                "a comparison compares two values",
                token.start,
                token.end,
                "Join two with `&&`, or add parentheses.",
            )
        if token.text == "-":
            raise BadCondition("nothing is computed in a condition", token.start, token.end)
        raise BadCondition(f"`{token.text}` is not expected here", token.start, token.end)

    def _either(self) -> Node:
        node = self._both()
        while self._joins("||"):
            right = self._both()
            node = Either(node.start, right.end, node, right)
        return node

    def _both(self) -> Node:
        node = self._comparison()
        while self._joins("&&"):
            right = self._comparison()
            node = Both(node.start, right.end, node, right)
        return node

    def _joins(self, operator: str) -> bool:
        token = self._next
        if not self._accepts(operator):
            return False
        self._joined += 1
        if self._joined > _MOST_JOINED:
            raise BadCondition(
                f"the condition has more than {_MOST_JOINED} `&&` and `||`",
                token.start,
                token.end,
                "Let an agent or a script decide, or use `in`: `… in ['a', 'b']`.",
            )
        return True

    def _comparison(self) -> Node:
        left = self._negated()
        token = self._next
        if token.kind not in {"operator", "word"} or token.text not in _COMPARISONS:
            return left
        self._take()
        right = self._negated()
        return Compare(left.start, right.end, _COMPARISONS[token.text], left, right)

    def _negated(self) -> Node:
        token = self._next
        if not self._accepts("!"):
            return self._operand()
        of = self._deeper(self._negated)
        return Not(token.start, of.end, of)

    def _deeper(self, read: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise BadCondition("the condition is nested too deeply", self._next.start, self._next.end)
        node = read()
        self._depth -= 1
        return node

    def _operand(self) -> Node:
        token = self._next
        if token.kind in {"reference", "constant"}:
            self._take()
            reference = token.reference
            return (
                Value(token.start, token.end, reference)
                if reference
                else Constant(token.start, token.end, token.value)
            )
        if self._accepts("("):
            inner = self._deeper(self._either)
            self._expects(")", "after what is in parentheses")
            return inner
        if self._accepts("["):
            return self._list(token)
        if self._accepts("-"):
            return self._negative(token)
        if token.kind == "word" and token.text in {"size", "has"} and self._tokens[self._at + 1].text == "(":
            self._at += 2
            return self._call(token)
        return self._unexpected()

    def _negative(self, minus: Token) -> Node:
        token = self._take()
        if token.kind != "constant" or isinstance(token.value, bool) or not isinstance(token.value, int | float):
            raise BadCondition("nothing is computed in a condition", minus.start, minus.end)
        return Constant(minus.start, token.end, -token.value)

    def _list(self, opening: Token) -> Node:
        items: list[Node] = []
        while self._next.text != "]" or self._next.kind != "operator":
            if items:
                self._expects(",", "between the items of a list")
            items.append(self._deeper(self._operand))
        return ListOf(opening.start, self._take().end, tuple(items))

    def _call(self, name: Token) -> Node:
        argument = self._deeper(self._either)
        closing = self._expects(")", f"after `{name.text}(`")
        if name.text == "size":
            return Size(name.start, closing.end, argument)
        if not isinstance(argument, Value):
            raise BadCondition(
                "`has` asks for a reference", argument.start, argument.end, "As in `has(${NAME.field})`."
            )
        return Has(name.start, closing.end, argument.reference)
