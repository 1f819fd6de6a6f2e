"""What is wrong with an agent by itself, whoever wrote it: a file, or a Python program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.kinds import kind_of
from llm_orc.agents.samples.spec import WHOLE
from llm_orc.agents.spec import SpecProblem
from llm_orc.agents.work import ModelWork
from llm_orc.schemas.shape import NoSuchField, shape_of
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.agents.samples.spec import Samples
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.schemas.walk import Schema


def spec_problems(spec: AgentSpec) -> Iterator[SpecProblem]:
    """Yield what is wrong with an agent by itself, whatever else is in its ensemble."""
    name = spec.name
    if spec.fan_out is not None:
        if spec.fan_out.over is None and not spec.depends_on:
            message = f"agent `{name}` has `fan_out: true`, and no `depends_on` whose answer is the list"
            hint = 'Add `depends_on`, or say which list: `fan_out: {over: "${inputs.NAME}"}`.'
            yield SpecProblem("fan_out", message, hint)
        if spec.conversation:
            message = f"agent `{name}` has both `fan_out` and `conversation`"
            hint = "An agent that runs over items has no history: remove one of them."
            yield SpecProblem("conversation", message, hint)
    if spec.samples is not None:
        yield from _of_samples(spec, spec.samples)
    if spec.cache is not None and spec.samples is not None:
        message = f"agent `{name}` has both `samples` and `cache`: each sample would be the same answer"
        yield SpecProblem("cache", message, "Remove one of them.")
    elif spec.cache is not None and kind_of(spec.work).shape is None:
        message = f"agent `{name}` is always run anew: `cache` is for models and programs"
        yield SpecProblem("cache", message, "Give it to the agents within.")
    yield from kind_of(spec.work).problems(name, spec.work)


def _of_samples(spec: AgentSpec, samples: Samples) -> Iterator[SpecProblem]:
    name = spec.name
    if not isinstance(spec.work, ModelWork):
        message = f"agent `{name}` has `samples`, and asks no model itself"
        yield SpecProblem("samples", message, "Remove it, or give it to the agent that asks the model.")
    elif samples.judge is not None:
        if samples.ahead is not None:
            message = f"agent `{name}` has both `ahead` and `vote: choose`: a judge is given all answers"
            yield SpecProblem("samples", message, "Remove `ahead`.")
    elif samples.vote != WHOLE:
        yield from _of_vote(name, samples.vote, spec.work.schema)
    if spec.conversation:
        message = f"agent `{name}` has both `samples` and `conversation`"
        yield SpecProblem("conversation", message, "Samples have no history: remove one of them.")


def _of_vote(name: str, vote: str, schema: Schema | None) -> Iterator[SpecProblem]:
    if schema is None:
        message = f"`vote` of agent `{name}` names a field, `{vote}`, and no `schema` says that there is one"
        yield SpecProblem("vote", message, f"Add it: `schema: {{{vote.partition('.')[0]}: …}}`.")
        return
    try:
        shape_of(schema).at(vote.split("."))
    except NoSuchField as e:
        message = f"`vote` of agent `{name}` names `{e.step}`, which its schema does not have"
        listed = f"Its fields are {', '.join(f'`{one}`' for one in e.known)}." if e.known else None
        yield SpecProblem("vote", message, did_you_mean(e.step, e.known) or listed)
