"""Kinds of agent from outside the program, a row each: a pure function, and work that other agents run within."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from llm_orc.agents.context import AgentContext
from llm_orc.agents.kind import AgentKeys, Kind
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import item_of
from llm_orc.agents.spec import AgentGroup
from llm_orc.agents.work import ModelWork, Needs, Work
from llm_orc.settings.field import Field
from llm_orc.storage.field_types import non_empty_text


@dataclass(frozen=True, slots=True)
class CountWork(Work):
    """Counts how often a word is in the prompt."""

    word: str
    kind: str = field(default="count_of", init=False, repr=False)


def _read_count(keys: AgentKeys) -> CountWork:
    if " " in keys.values["count_of"]:
        keys.say("count_of", f"agent `{keys.agent}` counts one word", hint="leave the space out")
    return CountWork(keys.values["count_of"])


async def _count(context: AgentContext, work: CountWork) -> AgentOutput:
    number = context.prompt.lower().split().count(work.word)
    return AgentOutput(f"`{work.word}`: {number}", (), {"word": work.word, "number": number})


COUNT = Kind(
    "count_of",
    CountWork,
    fields={"count_of": Field(non_empty_text, "The word that is counted.", "counts", required=True)},
    read=_read_count,
    run=_count,
)


@dataclass(frozen=True, slots=True)
class RoundsWork(Work):
    """Has other agents work on the task in rounds, at most so many at once."""

    body: AgentGroup
    rounds: int = 1
    at_once: bool = False
    kind: str = field(default="rounds", init=False, repr=False)


def _children(work: RoundsWork) -> Mapping[str, AgentGroup]:
    return {"body": work.body}


async def _rounds(context: AgentContext, work: RoundsWork) -> AgentOutput:
    path = context.turn.path
    places = [item_of(path, number) for number in range(work.rounds)] if work.rounds > 1 else [path]
    if work.at_once:
        results = await asyncio.gather(*(context.run_child("body", context.prompt, at) for at in places))
    else:
        results = [await context.run_child("body", context.prompt, at) for at in places]
    answers = [result.answer.text if result.answer else "nothing" for result in results]
    return AgentOutput(" / ".join(answers), (), {"complete": [result.is_complete for result in results]})


ROUNDS = Kind(
    "rounds",
    RoundsWork,
    read=lambda _keys: RoundsWork(AgentGroup("body", ())),
    run=_rounds,
    children=_children,
)


@dataclass(frozen=True, slots=True)
class DebateWork(Work):
    """Asks two models, the second about the answer of the first."""

    speaker: ModelWork
    critic: ModelWork
    kind: str = field(default="debate", init=False, repr=False)


async def _debate(context: AgentContext, _work: DebateWork) -> AgentOutput:
    said = await context.call_model()
    answer = await context.call_model(f"Criticise: {said.text}", model=1)
    return AgentOutput(answer.text, (*said.calls, *answer.calls))


DEBATE = Kind(
    "debate",
    DebateWork,
    read=lambda _keys: DebateWork(ModelWork(), ModelWork()),
    needs=lambda work: Needs(models=(work.speaker, work.critic)),
    run=_debate,
)
