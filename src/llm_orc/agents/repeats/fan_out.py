"""Run an agent once for each item of a list; its answer is the list of all answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.inputs.values import as_text
from llm_orc.agents.output import AgentOutput, ItemCounts
from llm_orc.agents.path import item_of
from llm_orc.agents.references.names import INDEX
from llm_orc.agents.references.scope import Item
from llm_orc.agents.repeats.items import digest_of, items_of
from llm_orc.agents.uses.place import agents_of_list, names_at
from llm_orc.errors import InternalError, ItemFailed, ItemsUnusable, LlmOrcError, ReferenceWithoutValue

if TYPE_CHECKING:
    from llm_orc.agents.fan_out.spec import FanOut
    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.turn import AgentTurn
    from llm_orc.jsontypes import JsonValue

_EXAMPLES = 8
_IN_A_REHEARSAL = 2  # items, where canned answers have none


async def run_over_items(turn: AgentTurn, fan_out: FanOut) -> AgentOutput:
    """Return the list of answers, in the order of the items, with the errors of those that failed.

    Raises `ItemsUnusable` and `ReferenceWithoutValue` before any item runs, and `ItemFailed`.
    """
    scope, children = turn.scope, turn.children
    if scope is None or children is None:
        raise InternalError(f"nothing can run within agent `{turn.path}`")
    items = _items(turn, fan_out, scope)
    turn.observer.items(len(items))
    series = _OverItems(turn, fan_out, scope, items)
    once = replace(turn.agent, fan_out=None, input_key=None)
    await children.repeat(replace(turn, agent=once), series)
    return _answer(turn, fan_out, series.ends)


def _items(turn: AgentTurn, fan_out: FanOut, scope: Scope) -> list[JsonValue]:
    try:
        return items_of(turn.agent, fan_out, scope)
    except (ItemsUnusable, ReferenceWithoutValue):
        if not scope.is_rehearsal:
            raise
    number = min(_IN_A_REHEARSAL, fan_out.max)
    turn.observer.notice(f"No canned answer is a list; this rehearsal runs over {number} made-up items.")
    return [f"[canned item {i}]" for i in range(number)]


class _OverItems:
    """See `agents.turn.Series`."""

    def __init__(self, turn: AgentTurn, fan_out: FanOut, scope: Scope, items: list[JsonValue]) -> None:
        self.at_once = fan_out.max_concurrent
        self.ends: list[AgentOutput | LlmOrcError | None] = [None] * len(items)
        self._items, self._begun, self._is_over = items, 0, False
        self._fails = fan_out.on_item_failure == "fail"
        self._scope = replace(scope, names=names_at(turn.agent, scope.names))
        self._item = Item(
            fan_out.name, None, 0, len(items), digest_of(items), agents_of_list(turn.agent, scope.names)
        )

    @property
    def is_decided(self) -> bool:
        return self._is_over

    def examples(self) -> list[Scope]:
        last = len(self._items) - 1
        places = {last * part // _EXAMPLES for part in range(_EXAMPLES + 1)} if self._items else ()
        return [self._scope_of(i) for i in sorted(places)]

    def next(self) -> Scope | None:
        i = self._begun
        if self._is_over or i == len(self._items):
            return None
        self._begun += 1
        return self._scope_of(i)

    def _scope_of(self, i: int) -> Scope:
        item = replace(self._item, value=self._items[i], index=i)
        local = {**self._scope.local, item.name: item.value, INDEX: i}
        return replace(self._scope, item=item, local=local)

    def ended(self, number: int, how: AgentOutput | LlmOrcError) -> None:
        self.ends[number] = how
        self._is_over = self._is_over or (self._fails and isinstance(how, LlmOrcError))


def _answer(turn: AgentTurn, fan_out: FanOut, ends: list[AgentOutput | LlmOrcError | None]) -> AgentOutput:
    failures = {i: how for i, how in enumerate(ends) if isinstance(how, LlmOrcError)}
    counts = ItemCounts(len(ends), len(ends) - len(failures), len(failures))
    if failures:
        first = next(iter(failures))
        what = f"`{item_of(turn.path, first)}` failed: {failures[first].message}"
        if fan_out.on_item_failure == "fail":
            raise _failure(failures[first], what)
        if len(failures) == len(ends):
            raise _failure(failures[first], f"no item of agent `{turn.path}` has an answer: {what}")
        others = f"{len(failures):,} of {len(ends):,} items failed, the first: " if len(failures) > 1 else ""
        turn.observer.notice(f"{others}{what}")
    data: list[JsonValue] = [_value(how) for how in ends]
    return AgentOutput(as_text(data), (), data, counts)


def _failure(cause: LlmOrcError, message: str) -> ItemFailed:
    error = ItemFailed(message, hint=cause.hint)
    error.__cause__ = cause
    return error


def _value(how: AgentOutput | LlmOrcError | None) -> JsonValue:
    if isinstance(how, AgentOutput):
        return how.text if how.data is None else how.data
    return {"failed": True, "error": how.message if how else "it has not ended"}
