"""The kind of agent that runs others in rounds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.ensemble.given import check_given, given_by_answers, texts_of_given
from llm_orc.agents.kind import Kind
from llm_orc.agents.loop.earlier import of_answer
from llm_orc.agents.loop.fields import FIELDS, read_loop
from llm_orc.agents.loop.names import BODY
from llm_orc.agents.loop.run import run_loop
from llm_orc.agents.loop.work import LoopWork
from llm_orc.agents.references.syntax import is_special
from llm_orc.agents.references.text import Text
from llm_orc.agents.spec import NestedEnsemble

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.kind import Say
    from llm_orc.agents.references.names import Names
    from llm_orc.agents.spec import AgentSpec


def _texts(work: LoopWork) -> tuple[Text, ...]:
    after = [*texts_of_given(work.carry, None)]
    return (
        *texts_of_given(work.inputs, work.task),
        *(() if work.until is None else (Text("loop.until", work.until, is_condition=True, within=BODY),)),
        *(() if work.by is None else (Text("loop.by", work.by, reader="number", within=BODY),)),
        *(() if work.carry_task is None else (Text("loop.carry", work.carry_task, within=BODY),)),
        *(replace(text, key=text.key.replace("inputs.", "loop.carry.", 1), within=BODY) for text in after),
    )


def _ensembles(work: LoopWork) -> Mapping[str, str | NestedEnsemble]:
    is_body = isinstance(work.body, NestedEnsemble) and work.body.is_body
    return {"loop.agents" if is_body else "loop.body" if work.is_earlier else "loop.ensemble": work.body}


def _with_ensembles(agent: str, work: LoopWork, found: Mapping[str, NestedEnsemble], say: Say) -> LoopWork:
    (child,) = found.values()
    if not child.is_body:
        check_given(agent, child, work.inputs, work.task, say)
        check_given(agent, child, {**work.inputs, **work.carry}, work.carry_task, _of_carry(work, say))
    complete = replace(work, body=child)
    return of_answer(complete, child) if work.is_earlier else complete


def _of_carry(work: LoopWork, say: Say) -> Say:
    """Return `say` for what is wrong with what is carried, and with nothing else."""

    def say_of_carry(
        key: str, message: str, hint: str | None = None, *, within: tuple[str | int, ...] = ()
    ) -> None:
        if key == "task":
            say("loop.carry", message, hint, within=within)
        elif (name := key.removeprefix("inputs.")) in work.carry:
            say(f"loop.carry.{name}", message, hint, within=within)

    return say_of_carry


def _children(work: LoopWork) -> Mapping[str, NestedEnsemble]:
    return {BODY: work.body} if isinstance(work.body, NestedEnsemble) else {}


def _from_answers(spec: AgentSpec, names: Names) -> frozenset[str]:
    work = spec.work
    assert isinstance(work, LoopWork)
    given = given_by_answers(spec, work.inputs, work.task, names)
    carried = {name for name in work.carry if any(is_special(text.text) for text in _carried(name, work))}
    own = {"task"} if work.carry_task is not None else set()
    return given | own | {f"inputs.{name}" for name in carried}


def _carried(name: str, work: LoopWork) -> tuple[Text, ...]:
    return texts_of_given({name: work.carry[name]}, None)


LOOP: Kind = Kind(
    "loop",
    LoopWork,
    fields=FIELDS,
    read=read_loop,
    run=run_loop,
    children=_children,
    texts=_texts,
    ensembles=_ensembles,
    with_ensembles=_with_ensembles,
    from_answers=_from_answers,
    rounds=lambda work: work.max_rounds,
)
