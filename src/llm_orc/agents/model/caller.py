"""Language models as agents: one turn, with the first model that works."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.model.counted_attempts import counted
from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.path import model_key
from llm_orc.agents.time_limit import within_time_limit
from llm_orc.auth.access import Access, Billing
from llm_orc.errors import (
    AgentTimedOut,
    AuthError,
    BudgetExceeded,
    ContentRefused,
    CredentialRefused,
    ModelNotFound,
    PromptTooLarge,
    ProviderError,
    RateLimited,
    ReplyUnreadable,
    RequestRejected,
)
from llm_orc.net.text import is_blank, whole_text
from llm_orc.providers.base import Message, ModelRequest
from llm_orc.providers.failures import LONGEST_WAIT_S
from llm_orc.providers.redact import masked_reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.agents.budget import Spending
    from llm_orc.agents.candidate import Candidate
    from llm_orc.agents.choice import ModelChoice
    from llm_orc.agents.turn import AgentTurn
    from llm_orc.errors import LlmOrcError


class LlmCaller:
    """Calls agents' models: the first that works, in the order that the configuration allows.

    An access that has failed for good is not tried again by any agent of the run.
    """

    def __init__(self, candidates: Mapping[str, Sequence[Candidate]], budgets: Sequence[Spending] = ()) -> None:
        """`candidates` has at least one for each agent; if a budget limits the cost, each price is known."""
        self._candidates, self._budgets = candidates, tuple(budgets)
        self._closed: dict[tuple[Access, str | None], LlmOrcError] = {}

    def with_budget(
        self, budget: Spending, candidates: Mapping[str, Sequence[Candidate]] | None = None
    ) -> LlmCaller:
        """Return a caller with this budget that shares the knowledge of closed accesses.

        `candidates` None: the same ones.
        """
        caller = LlmCaller(self._candidates if candidates is None else candidates, (budget,))
        caller._closed = self._closed
        return caller

    async def __call__(self, turn: AgentTurn) -> AgentOutput:
        failures: list[LlmOrcError] = []
        for candidate in self._candidates[model_key(turn.path, turn.model)]:
            if not failures:
                turn.observer.calling(candidate.model.name, candidate.access)
            else:
                turn.observer.switched(candidate.model.name, candidate.access, failures[-1])
            try:
                return await self._try(candidate, turn)
            except (ProviderError, AuthError, AgentTimedOut, BudgetExceeded) as e:
                failures.append(e)
                if not _another_may_do_better(e):
                    break
        raise _all_of(failures)

    async def _try(self, candidate: Candidate, turn: AgentTurn) -> AgentOutput:
        access, model = candidate.access, candidate.model.name
        closed = self._closed.get((access, None)) or self._closed.get((access, model))
        if closed is not None:
            raise closed
        try:
            return await self._ask(candidate, turn)
        except (ProviderError, AuthError) as e:
            if _closes_access(e, access):
                self._closed[access, model if isinstance(e, RateLimited) else None] = e  # plans limit each model
            raise

    async def _ask(self, candidate: Candidate, turn: AgentTurn) -> AgentOutput:
        request = _request(candidate.choice, turn)
        if self._budgets:
            request = counted(request, candidate, turn.path, self._budgets)
        return await _ask(candidate, turn, request)


def _closes_access(error: LlmOrcError, access: Access) -> bool:
    """True if every call over this access would fail in the same way; a 403 may be about one model only."""
    if isinstance(error, RateLimited):
        is_plan = access.billing in {Billing.SUBSCRIPTION, Billing.PLAN_CREDITS}
        return is_plan and (error.retry_after_s or 0.0) > LONGEST_WAIT_S
    return isinstance(error, AuthError) and not isinstance(error, CredentialRefused)


def _all_of(failures: Sequence[LlmOrcError]) -> LlmOrcError:
    """Return the last failure, with all the earlier ones as causes."""
    last = copy(failures[-1])
    last.message = "; then ".join(dict.fromkeys(failure.message for failure in failures))
    last.args = (last.message,)
    last.__cause__ = failures[-1].__cause__
    return last if len(failures) > 1 else failures[-1]


def _another_may_do_better(error: LlmOrcError) -> bool:
    """True if another model may succeed: for a missing model or full context, not for a bad request or refusal."""
    if isinstance(error, (ModelNotFound, PromptTooLarge)):
        return True
    return not isinstance(error, (RequestRejected, ContentRefused))


def _request(choice: ModelChoice, turn: AgentTurn) -> ModelRequest:
    return ModelRequest(
        messages=alternating((*turn.history, Message("user", turn.prompt, choice.system_prompt))),
        system_prompt=choice.system_prompt,
        temperature=choice.temperature,
        max_tokens=choice.max_tokens,
        json_output=choice.json_output,
        options=choice.options,
        conversation=turn.conversation,
    )


def alternating(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Join consecutive turns of one side: many servers only accept alternating turns."""
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            before = joined.pop()
            message = replace(message, content=f"{before.content}\n\n{message.content}")  # noqa: PLW2901
        joined.append(message)
    return tuple(joined)


async def _ask(candidate: Candidate, turn: AgentTurn, request: ModelRequest) -> AgentOutput:
    if (limit_s := candidate.choice.timeout_s) is None:
        reply = await masked_reply(candidate.model, request, turn.observer)
    else:
        async with within_time_limit(turn.path, limit_s, "Raise `timeout_seconds` of the agent or its profile."):
            reply = await masked_reply(candidate.model, request, turn.observer)
    if is_blank(reply.text):  # however it arrived: no agent may receive an empty answer
        blank = ReplyUnreadable(
            f"`{candidate.access.provider}` (model `{reply.model}`) returned an answer without any text",
            hint="Ask again, or reword the prompt.",
        )
        blank.may_be_billed = True
        raise blank
    call = ModelCall(
        model=whole_text(reply.model),
        access=candidate.access,
        usage=reply.usage,
        cost_usd=candidate.cost_usd(reply.model, reply.usage),
        stop_reason=reply.stop_reason,
        request_id=whole_text(reply.request_id),
        stop_word=reply.stop_word,
    )
    return AgentOutput(whole_text(reply.text), (call,))
