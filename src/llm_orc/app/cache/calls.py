"""Calls of agents that may have an answer of before: by everything that shapes it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from llm_orc.agents.kinds import all_agents, kind_of
from llm_orc.agents.output import CachedFrom
from llm_orc.agents.path import model_key
from llm_orc.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llm_orc.agents.candidate import Candidate
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.spec import Caching
    from llm_orc.agents.turn import AgentTurn, CallAgent
    from llm_orc.app.cache.store import AnswerStore
    from llm_orc.jsontypes import JsonValue
    from llm_orc.runs.recipe import Recipe

_VERSION = 1  # of what a key is made of


def cached_calls(
    call: CallAgent,
    store: AnswerStore,
    candidates: Mapping[str, Sequence[Candidate]],
    *,
    recipe: Recipe,
    run_id: str,
    now: Callable[[], float],
) -> CallAgent:
    """Return what calls the agents of a run: from the cache too, unless nothing may come from it or go there."""
    may_use = recipe.caching != "off" and not recipe.rehearsal
    if not may_use or not any(spec.cache for _, spec in all_agents(recipe.ensemble)):
        return call
    return CachedCalls(call, store, candidates, run_id=run_id, caching=recipe.caching, now=now)


class CachedCalls:
    """A `CallAgent` that gives agents with `cache` their answer of before, and asks through `call` otherwise.

    `caching` is what the person asked for; `candidates` are the models of each agent, of which the first shapes
    its answer: an answer of another one is not kept. An error of the store is a notice, and the agent is asked.
    """

    def __init__(
        self,
        call: CallAgent,
        store: AnswerStore,
        candidates: Mapping[str, Sequence[Candidate]],
        *,
        run_id: str,
        caching: Caching,
        now: Callable[[], float],
    ) -> None:
        self._call, self._store, self._candidates = call, store, candidates
        self._run_id, self._caching, self._now = run_id, caching, now

    async def __call__(self, turn: AgentTurn) -> AgentOutput:
        use = (
            None if turn.agent.fan_out or turn.agent.samples else turn.agent.cache
        )  # each item is asked by itself
        candidates = self._candidates.get(model_key(turn.path), ())
        shape = None if use is None else _shape(turn, candidates)
        if use is None or shape is None:
            return await self._call(turn)
        try:
            key = await asyncio.to_thread(self._store.key, shape)
            found = None
            if self._caching == "use":
                found = await asyncio.to_thread(self._store.find, key, self._now(), use.for_s)
        except StorageError as e:
            turn.observer.notice(f"The cache can't be used: {e.message}.")
            return await self._call(turn)
        if found is not None:
            return found
        output = await self._call(turn)
        if _is_worth_keeping(output, candidates):
            try:
                await asyncio.to_thread(self._store.keep, key, self._as_cached(output, turn), self._now())
            except StorageError as e:
                turn.observer.notice(f"The answer is not kept in the cache: {e.message}.")
        return output

    def _as_cached(self, output: AgentOutput, turn: AgentTurn) -> AgentOutput:
        origin = CachedFrom(self._run_id, turn.path, self._now(), output.model, output.cost_usd)
        return replace(output, calls=(), cached=origin)


def _shape(turn: AgentTurn, candidates: Sequence[Candidate]) -> JsonValue:
    """Return everything that shapes the answer; None: such work is always done."""
    work = turn.agent.work
    of_work = kind_of(work).shape
    if of_work is None:
        return None
    shape: JsonValue = msgspec.to_builtins(
        {
            "version": _VERSION,
            "kind": work.kind,
            "work": of_work(work),
            "texts": turn.texts,
            "prompt": turn.prompt,
            **({"files": turn.files} if turn.files else {}),
            "history": turn.history,
            "model": _of_model(candidates[0]) if candidates else None,
        }
    )
    return shape


def _of_model(candidate: Candidate) -> dict[str, JsonValue]:
    choice = candidate.choice
    return {
        "provider": candidate.model.provider,
        "endpoint": candidate.access.endpoint,
        "name": candidate.model.name,
        "system_prompt": choice.system_prompt,
        "temperature": choice.temperature,
        "max_tokens": choice.max_tokens,
        "options": choice.options,
        "json_output": choice.json_output,
    }


def _is_worth_keeping(output: AgentOutput, candidates: Sequence[Candidate]) -> bool:
    """Whether the answer is whole, and that of the model which is asked first."""
    if not candidates:
        return not output.calls
    last, first = output.last, candidates[0]
    if last is None or last.stop_reason != "end_turn" or last.access != first.access:
        return False
    return all(other.access != first.access or other.model.name == first.model.name for other in candidates)
