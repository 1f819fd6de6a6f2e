"""The agent that is a language model: one turn of it, with the first of its models that works."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llm_orc.agents.base import AgentOutput
from llm_orc.agents.choice import ModelChoice
from llm_orc.auth.access import Access
from llm_orc.errors import (
    AgentTimedOut,
    AuthError,
    ContentRefused,
    ModelNotFound,
    PromptTooLarge,
    ProviderError,
    RequestRejected,
)
from llm_orc.providers.base import Message, ModelInterface, ModelRequest, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llm_orc.agents.base import AgentTurn
    from llm_orc.errors import LlmOrcError


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that is ready to be called, and what a call of it costs."""

    choice: ModelChoice
    model: ModelInterface
    access: Access
    cost_usd: Callable[[str, Usage], float | None]  # (model that answered, usage) → USD; None: not known


class LlmCaller:
    """Calls agents' models: the first that works, in the order that the configuration allows."""

    def __init__(self, candidates: Mapping[str, Sequence[Candidate]]) -> None:
        """`candidates` holds at least one for each agent."""
        self._candidates = candidates

    async def __call__(self, turn: AgentTurn) -> AgentOutput:
        candidates = self._candidates[turn.agent.name]
        failure: LlmOrcError | None = None
        for candidate, is_last in _with_last(candidates):
            if failure is None:
                turn.observer.calling(candidate.model.name, candidate.access)
            else:
                turn.observer.switched(candidate.model.name, candidate.access, failure)
            try:
                return await _ask(candidate, turn)
            except (ProviderError, AuthError, AgentTimedOut) as e:
                if is_last or not _another_may_do_better(e):
                    raise
                failure = e
        raise AssertionError("an agent has no model")


def _with_last(candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, bool]]:
    last = len(candidates) - 1
    return ((candidate, i == last) for i, candidate in enumerate(candidates))


def _another_may_do_better(error: LlmOrcError) -> bool:
    """A bad request stays bad and a refusal is an answer; a missing model or a full context is neither."""
    if isinstance(error, (ModelNotFound, PromptTooLarge)):
        return True
    return not isinstance(error, (RequestRejected, ContentRefused))


async def _ask(candidate: Candidate, turn: AgentTurn) -> AgentOutput:
    choice = candidate.choice
    request = ModelRequest(
        messages=(Message("user", turn.prompt),),
        system_prompt=choice.system_prompt,
        temperature=choice.temperature,
        max_tokens=choice.max_tokens,
        json_output=choice.json_output,
        options=choice.options,
    )
    limit = asyncio.timeout(choice.timeout_s)
    try:
        async with limit:
            reply = await candidate.model.reply(request, turn.observer)
    except TimeoutError as e:
        if not limit.expired():
            raise
        raise AgentTimedOut(
            f"agent `{turn.agent.name}` took longer than its limit of {choice.timeout_s:g} s",
            hint="Raise `timeout_seconds` of the agent or its profile.",
        ) from e
    return AgentOutput(
        text=reply.text,
        model=reply.model,
        access=candidate.access,
        usage=reply.usage,
        cost_usd=candidate.cost_usd(reply.model, reply.usage),
        stop_reason=reply.stop_reason,
        request_id=reply.request_id,
    )
