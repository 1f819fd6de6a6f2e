"""The kind of agent that runs one of several ensembles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.dispatch.fields import DISPATCH_FIELDS, read_dispatch
from llm_orc.agents.dispatch.work import DispatchWork
from llm_orc.agents.ensemble.answer import answer_of
from llm_orc.agents.ensemble.given import check_given, filled_in, given_by_answers, texts_of_given
from llm_orc.agents.inputs.values import as_text
from llm_orc.agents.kind import Kind
from llm_orc.agents.path import child_of
from llm_orc.agents.references.text import Text
from llm_orc.agents.spec import NestedEnsemble
from llm_orc.errors import DispatchWithoutTarget, InternalError, ReferenceWithoutValue
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.agents.context import AgentContext
    from llm_orc.agents.kind import Say
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.references.names import Names
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.jsontypes import JsonValue

_LONGEST_SHOWN = 80  # characters of an answer


def _texts(work: DispatchWork) -> tuple[Text, ...]:
    return (Text("dispatch.by", work.by, reader="program"), *texts_of_given(work.inputs, work.task))


def _place_of(target: str, work: DispatchWork) -> str:
    return f"dispatch.to.{target}" if target in work.to else "dispatch.otherwise"


def _names(work: DispatchWork) -> Mapping[str, str | NestedEnsemble]:
    return {_place_of(target, work): name for target, name in work.targets.items()}


def _with_ensembles(agent: str, work: DispatchWork, found: Mapping[str, NestedEnsemble], say: Say) -> DispatchWork:
    used: set[str] = set()
    for child in found.values():
        own = _inputs_for(child, work)
        used.update(own)
        check_given(agent, child, own, None if child.task == "none" else work.task, say)
    for name in work.inputs:
        if name not in used:
            known = [spec.name for child in found.values() for spec in child.inputs]
            say(
                f"inputs.{name}",
                f"agent `{agent}`: none of its ensembles has an input `{name}`",
                did_you_mean(name, known),
            )
    to = {target: found[_place_of(target, work)] for target in work.to}
    return replace(work, to=to, otherwise=found.get("dispatch.otherwise"))


def _inputs_for(child: NestedEnsemble, work: DispatchWork) -> dict[str, JsonValue]:
    declared = {spec.name for spec in child.inputs}
    return {name: value for name, value in work.inputs.items() if name in declared}


def _open_to(work: DispatchWork, names: Sequence[str]) -> DispatchWork:
    return replace(work, to={name: name for name in names})


def _children(work: DispatchWork) -> Mapping[str, NestedEnsemble]:
    return {name: child for name, child in work.targets.items() if isinstance(child, NestedEnsemble)}


def _from_answers(spec: AgentSpec, names: Names) -> frozenset[str]:
    work = spec.work
    assert isinstance(work, DispatchWork)
    return given_by_answers(spec, work.inputs, work.task, names)


async def _run(context: AgentContext, work: DispatchWork) -> AgentOutput:
    said = _said(context, work)
    if said in work.to:
        return await _answer_of(context, work, said)
    if work.otherwise is not None:
        return await _answer_of(context, work, "otherwise")
    known = ", ".join(f"`{name}`" for name in work.to)
    raise DispatchWithoutTarget(
        f"`{work.by}` is `{_shown(said)}`, for which there is no ensemble",
        hint=f"There are {known}. `otherwise: NAME` is for everything else.",
    )


async def _rehearse(context: AgentContext, work: DispatchWork) -> AgentOutput:
    """Run what a canned answer names; where it names nothing, the first ensemble stands for the others."""
    first = next(iter(work.targets))
    try:
        said = _said(context, work)
    except ReferenceWithoutValue:
        said = ""
    if said in work.to:
        return await _answer_of(context, work, said)
    context.notice(f"No canned answer decides what `dispatch` runs; this rehearsal runs `{first}`.")
    return await _answer_of(context, work, first)


def _said(context: AgentContext, work: DispatchWork) -> str:
    if context.turn.scope is None:
        raise InternalError(f"agent `{context.turn.path}` has no values of references")
    return as_text(filled_in(work.by, context.turn.scope)).strip()


def _shown(said: str) -> str:
    line = " ".join(said.split())
    return line if len(line) <= _LONGEST_SHOWN else f"{line[:_LONGEST_SHOWN]}…"


async def _answer_of(context: AgentContext, work: DispatchWork, target: str) -> AgentOutput:
    child = work.targets[target]
    if not isinstance(child, NestedEnsemble):
        raise InternalError(f"ensemble `{child}` of agent `{context.turn.path}` was not looked up")
    output = await answer_of(
        context, target, child, _inputs_for(child, work), work.task, at=child_of(context.turn.path, target)
    )
    return replace(output, ensemble=child.name)


DISPATCH = Kind(
    "dispatch",
    DispatchWork,
    fields=DISPATCH_FIELDS,
    read=read_dispatch,
    run=_run,
    rehearse=_rehearse,
    children=_children,
    names_children=True,
    texts=_texts,
    ensembles=_names,
    with_ensembles=_with_ensembles,
    is_open=lambda work: work.is_open,
    open_to=_open_to,
    from_answers=_from_answers,
    gives_childs_answer=True,
)
