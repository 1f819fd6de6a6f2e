"""Loops of earlier releases: their references are to fields of the answer of a round."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.conditions.parse import parse_condition
from llm_orc.agents.conditions.syntax import BadCondition, Compare, Constant, IsSet, Value
from llm_orc.agents.references.syntax import BadReference, parse_template

if TYPE_CHECKING:
    from llm_orc.agents.loop.work import LoopWork
    from llm_orc.agents.spec import NestedEnsemble


def of_answer(work: LoopWork, child: NestedEnsemble) -> LoopWork:
    """Return the work with references to the agent that answers for the child, in place of fields of its answer.

    A field that is not there makes `until` false.
    """
    agent = _answering(child)
    until = None if work.until is None else _condition(work.until, agent)
    carry = None if work.carry_task is None else _renamed(work.carry_task, agent)
    return replace(work, until=until, carry_task=carry)


def _answering(child: NestedEnsemble) -> str:
    if child.answer:
        return child.answer
    needed = {name for spec in child.agents for name in spec.depends_on}
    ends = [spec.name for spec in child.agents if spec.name not in needed]
    return ends[-1] if ends else child.agents[-1].name


def _condition(text: str, agent: str) -> str:
    try:
        root = parse_condition(text).root
        references = parse_condition(text).references
    except BadCondition:
        return text  # it is reported as it stands
    if isinstance(root, IsSet):
        return _renamed(text, agent)
    renamed = _renamed(text, agent)
    if isinstance(root, Compare) and isinstance(root.left, Value) and isinstance(root.right, Constant):
        value = json.dumps(root.right.value, ensure_ascii=False)  # a text in earlier releases needs no quotes
        renamed = f"{_renamed(str(root.left.reference), agent)} {root.operator} {value}"
    there = " && ".join(f"has({_renamed(str(one), agent)})" for one in references)
    return f"{there} && ({renamed})" if there else renamed


def _renamed(text: str, agent: str) -> str:
    try:
        pieces = parse_template(text).pieces
    except BadReference:
        return text  # it is reported as it stands
    return "".join(
        piece.replace("${", "$${") if isinstance(piece, str) else f"${{{agent}.{piece.name}}}" for piece in pieces
    )
