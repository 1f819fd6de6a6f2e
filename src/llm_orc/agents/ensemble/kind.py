"""The kind of agent that runs another ensemble."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.ensemble.answer import answer_of
from llm_orc.agents.ensemble.given import check_given, given_by_answers, texts_of_given
from llm_orc.agents.ensemble.work import EnsembleWork
from llm_orc.agents.kind import Kind
from llm_orc.agents.spec import NestedEnsemble
from llm_orc.errors import InternalError
from llm_orc.settings.field import Field, Fields
from llm_orc.storage.field_types import described, json_mapping, non_empty_text, optional, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.context import AgentContext
    from llm_orc.agents.kind import AgentKeys, Say
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.references.names import Names
    from llm_orc.agents.spec import AgentSpec

GIVEN_FIELDS: Fields = {
    "inputs": Field(
        described(json_mapping, "a mapping of values by name"),
        "The values of its inputs. References are filled in: one that stands alone keeps its type.",
        "counts",
        default_text="the defaults that it declares",
        is_prose=True,
    ),
    "task": Field(
        optional(text),
        "Its task; references are filled in.",
        "counts",
        default_text="what an agent without a `prompt` is asked: the task, and the answers of `depends_on`",
        is_prose=True,
    ),
}
"""What an ensemble within an agent is given."""

_FIELDS: Fields = {
    "ensemble": Field(
        described(non_empty_text, "an ensemble"),
        "The ensemble that it runs: a name, found as from the command line, `FOLDER/NAME`, or the path of a YAML"
        " file, relative to this one.",
        "counts",
        required=True,
    ),
    **GIVEN_FIELDS,
}


def _read(keys: AgentKeys) -> EnsembleWork:
    values = keys.values
    return EnsembleWork(values.get("ensemble") or "", values.get("inputs") or {}, values.get("task"))


def _names(work: EnsembleWork) -> Mapping[str, str | NestedEnsemble]:
    return {"ensemble": work.ensemble}


def _with_ensembles(agent: str, work: EnsembleWork, found: Mapping[str, NestedEnsemble], say: Say) -> EnsembleWork:
    child = found["ensemble"]
    check_given(agent, child, work.inputs, work.task, say)
    return replace(work, ensemble=child)


def _children(work: EnsembleWork) -> Mapping[str, NestedEnsemble]:
    return {"ensemble": work.ensemble} if isinstance(work.ensemble, NestedEnsemble) else {}


def _from_answers(spec: AgentSpec, names: Names) -> frozenset[str]:
    work = spec.work
    assert isinstance(work, EnsembleWork)
    return given_by_answers(spec, work.inputs, work.task, names)


async def _run(context: AgentContext, work: EnsembleWork) -> AgentOutput:
    if not isinstance(work.ensemble, NestedEnsemble):
        raise InternalError(f"ensemble `{work.ensemble}` of agent `{context.turn.path}` was not looked up")
    return await answer_of(context, "ensemble", work.ensemble, work.inputs, work.task)


ENSEMBLE = Kind(
    "ensemble",
    EnsembleWork,
    fields=_FIELDS,
    read=_read,
    run=_run,
    children=_children,
    texts=lambda work: texts_of_given(work.inputs, work.task),
    ensembles=_names,
    with_ensembles=_with_ensembles,
    from_answers=_from_answers,
    gives_childs_answer=True,
)
