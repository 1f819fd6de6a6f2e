"""Language models as agents: one turn, with the first model that works."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from llm_orc.agents.files.access import NO_FILES, FileAccess
from llm_orc.agents.model.counted_attempts import counted
from llm_orc.agents.model.plan_waits import MustWaitForPlan, refusing
from llm_orc.agents.model.request import request_of
from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.path import model_key
from llm_orc.agents.time_limit import within_time_limit
from llm_orc.agents.tool_talk.talk import ToolsWanted
from llm_orc.errors import (
    AgentTimedOut,
    AuthError,
    BudgetExceeded,
    ContentRefused,
    CredentialRefused,
    ModelNotFound,
    PromptTooLarge,
    ProviderError,
    ReplyUnreadable,
    RequestRejected,
)
from llm_orc.net.text import is_blank, whole_text
from llm_orc.providers.limits.plans import Plans, UsedUp, is_paid_by_plan
from llm_orc.providers.redact import masked_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llm_orc.agents.budgets.attempt import Spending
    from llm_orc.agents.candidate import Candidate
    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.tool_talk.talk import ToolTalk
    from llm_orc.agents.turn import AgentTurn
    from llm_orc.auth.access import Access
    from llm_orc.errors import LlmOrcError
    from llm_orc.providers.base import ModelRequest


class LlmCaller:
    """Calls agents' models: the first that works, in the order that the configuration allows.

    An access that has failed for good is not tried again by any agent of the run. If it `waits`, an agent whose
    plan is used up waits until it may be called again: nothing dearer takes over, even if the configuration allows
    it.
    """

    def __init__(
        self,
        candidates: Mapping[str, Sequence[Candidate]],
        budgets: Sequence[Spending] = (),
        plans: Plans | None = None,
        *,
        waits: bool = False,
        waits_elsewhere: bool = False,
        within: Callable[[AgentPath], Sequence[Spending]] = lambda _agent: (),
        files: FileAccess = NO_FILES,
    ) -> None:
        """`candidates` has at least one for each agent; if a budget limits the cost, each price is known.

        `within` returns the budgets that hold for an agent beside those for all.

        `files` reads what goes with a turn. `plans` None: the caller's own. `waits_elsewhere`: raise
        `MustWaitForPlan` instead of waiting here.
        """
        self._candidates, self._budgets = candidates, tuple(budgets)
        self._plans, self._waits = plans or Plans(), waits
        self._waits_elsewhere, self._within = waits_elsewhere, within
        self._files = files
        self._closed: dict[Access, LlmOrcError] = {}

    def with_budgets(
        self, budgets: Sequence[Spending], candidates: Mapping[str, Sequence[Candidate]] | None = None
    ) -> LlmCaller:
        """Return a caller with these budgets that shares the knowledge of closed accesses.

        `candidates` None: the same ones.
        """
        candidates = self._candidates if candidates is None else candidates
        caller = LlmCaller(
            candidates, budgets, self._plans, waits=self._waits, waits_elsewhere=self._waits_elsewhere
        )
        caller._closed = self._closed
        caller._files = self._files
        return caller

    async def __call__(self, turn: AgentTurn) -> AgentOutput:
        candidates = _from_the_first(self._candidates[model_key(turn.path, turn.model)], turn.talk)
        while True:
            outcome = await self._round(candidates, turn)
            if isinstance(outcome, AgentOutput):
                return outcome
            if self._waits_elsewhere:
                raise MustWaitForPlan(outcome)
            most = outcome.access.billing.expense
            candidates = [one for one in candidates if one.access.billing.expense <= most]
            turn.observer.waiting(outcome)
            for candidate in candidates:
                await candidate.model.let_go()
            async with turn.idle():
                await self._plans.opening(outcome)
            turn.observer.wait_over()

    async def _round(self, candidates: Sequence[Candidate], turn: AgentTurn) -> AgentOutput | UsedUp:
        """Return the answer of the first that works, or the plan to wait for. Raises all failures as one."""
        failures: list[LlmOrcError] = []
        wait: UsedUp | None = None
        for candidate in candidates:
            if wait is not None and candidate.access.billing.expense > wait.access.billing.expense:
                continue
            if (known := self._to_wait_for(candidate)) is not None:
                failures.append(known.refusal())
                wait = _sooner(wait, known)
                continue
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
                wait = _sooner(wait, self._to_wait_for(candidate))
        if wait is None or not _another_may_do_better(failures[-1]):
            raise _all_of(failures)
        return wait

    def _to_wait_for(self, candidate: Candidate) -> UsedUp | None:
        return self._plans.used_up(candidate.access, candidate.model.name) if self._waits else None

    async def _try(self, candidate: Candidate, turn: AgentTurn) -> AgentOutput:
        access = candidate.access
        if (closed := self._closed.get(access)) is not None:
            raise closed
        try:
            if not is_paid_by_plan(access):
                return await self._ask(candidate, turn)
            async with self._plans.call(access, candidate.model.name, whole=self._waits):
                return await self._ask(candidate, turn)
        except AuthError as e:
            if not isinstance(e, CredentialRefused):  # every call over this access would fail in the same way
                self._closed[access] = e  # but a 403 may be about one model only
            raise

    async def _ask(self, candidate: Candidate, turn: AgentTurn) -> AgentOutput:
        request = request_of(candidate, turn, self._files)
        if budgets := (*self._budgets, *self._within(turn.path)):
            request = counted(request, candidate, turn.path, budgets)
        if is_paid_by_plan(candidate.access):
            request = refusing(request, candidate, self._plans)
        return await _ask(candidate, turn, request)


def _from_the_first(candidates: Sequence[Candidate], talk: ToolTalk | None) -> Sequence[Candidate]:
    """Return the candidates from the one that has begun a conversation with tools; the others have failed."""
    if talk is None or talk.access is None:
        return candidates
    names = [(candidate.access, candidate.model.name) for candidate in candidates]
    began = (talk.access, talk.model)
    return candidates[names.index(began) :] if began in names else candidates


def _sooner(one: UsedUp | None, other: UsedUp | None) -> UsedUp | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other, key=lambda used_up: used_up.until)


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


async def _ask(candidate: Candidate, turn: AgentTurn, request: ModelRequest) -> AgentOutput:
    if (limit_s := candidate.choice.timeout_s) is None:
        reply = await masked_reply(candidate.model, request, turn.observer)
    else:
        async with within_time_limit(turn.path, limit_s, "Raise `timeout_seconds` of the agent or its profile."):
            reply = await masked_reply(candidate.model, request, turn.observer)
    wants = None
    if turn.talk is not None and reply.calls:
        wants = ToolsWanted(reply.calls, candidate.model.name, reply.own)
    elif is_blank(reply.text):  # however it arrived: no agent may receive an empty answer
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
    return AgentOutput(whole_text(reply.text), (call,), is_enforced=reply.is_enforced, wants=wants)
