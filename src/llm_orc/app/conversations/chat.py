"""Talk to an agent or a whole ensemble: one run for each turn, on one runtime and in one conversation."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from llm_orc.agents.budgets.budget import Budget
from llm_orc.agents.budgets.ceilings import NO_CEILINGS, Ceilings
from llm_orc.agents.spec import WhenFull
from llm_orc.app.access.bills.agreements import with_agreements
from llm_orc.app.access.choices import choices_of
from llm_orc.app.access.consent import Consent
from llm_orc.app.access.models import plan_of
from llm_orc.app.conversations.archive import conversations
from llm_orc.app.conversations.partner import keep_choices, partner_in
from llm_orc.app.files.given import NO_FILES_GIVEN, GivenFiles
from llm_orc.app.runs.conversation import ConversationOptions
from llm_orc.app.runs.inputs import check_talk
from llm_orc.app.runs.request import RunLimits, RunListener
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.app.runs.runtime import Runtime, Terms
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import AgentDelta
from llm_orc.runs.costs import CostsSoFar
from llm_orc.runs.spend import Spend

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.approvals.desk import AskHere
    from llm_orc.app.conversations.partner import Partner
    from llm_orc.app.tools.permission import Rule
    from llm_orc.app.wiring import App
    from llm_orc.conversations.conversation import Turn
    from llm_orc.engine.events import RunEvent
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.runs.results import RunResult


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """`conversation` None: a new one. `when_full` None: a turn that no longer fits fails; the user decides."""

    conversation: str | None = None
    consent: Consent = Consent()
    max_cost_usd: float | None = None  # over all turns of the chat
    max_total_tokens: int | None = None  # likewise
    when_full: WhenFull | None = None
    stream: bool = False
    wait_for_plan: bool | None = None  # when it is used up; None: as the settings say
    tools: tuple[Rule, ...] = ()  # which tools the command allows or denies


class Chat:
    """Enter it to open connections, leave it to close them; the conversation stays stored."""

    def __init__(self, app: App, partner: Partner, options: ChatOptions) -> None:
        self.partner = partner
        self.ensemble = partner.in_force(app)
        self.conversation = options.conversation or new_name(partner.ensemble)
        self.calls = 0
        self._costs = CostsSoFar()
        ceilings = Ceilings(options.max_cost_usd, None, options.max_total_tokens)
        self._budget = Budget(ceilings) if ceilings.limited else None
        # What was agreed to for the ensemble holds for all turns, also with another role.
        consent = with_agreements(app, self.ensemble, with_agreements(app, partner.ensemble, options.consent))
        self._app, self._options = app, replace(options, consent=consent)
        self._stack = AsyncExitStack()
        self._runtime: Runtime
        self._given: GivenFiles = NO_FILES_GIVEN  # with the last turn
        self._has_kept = False  # the conversation has a turn of this chat
        self._given = NO_FILES_GIVEN  # with the last turn

    async def __aenter__(self) -> Self:
        self._runtime = await self._stack.enter_async_context(Runtime(self._app))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def plan(self) -> AccessPlan:
        """Return what the next turn will use, before anything is said. Raises what a run would raise.

        It raises `MeteredNotAllowed` also for a model that was chosen in an earlier chat and costs money.
        """
        check_talk(self.ensemble)
        terms = Terms(self._options.consent, stream=self._options.stream)
        models = await self._runtime.models_for(choices_of(self.ensemble, self._app.settings), terms)
        plan = plan_of(self._app, self.ensemble, models.ready)
        if not self._options.consent.allow_metered:
            self.partner.refuse_unasked_bill(plan, self.conversation, self._options.consent.agreed)
        return plan

    async def choose(self, partner: Partner) -> None:
        """Use these roles and models from the next turn on, and keep them in the conversation.

        Raises what `plan` raises if other models can't be used, and `StorageError`; then nothing is changed.
        """
        before, self.partner = self.partner, partner
        try:
            self.ensemble = partner.in_force(self._app)
            if partner.chosen.models != before.chosen.models:
                await self.plan()
            keep_choices(self._app, partner, self.conversation, begin=False)
        except BaseException:
            self.partner, self.ensemble = before, before.in_force(self._app)
            raise

    async def say(
        self,
        text: str,
        *,
        show: Callable[[RunEvent], None],
        waiting: Callable[[str], None],
        ask: AskHere | None = None,
        keep: bool = True,
        given: GivenFiles = NO_FILES_GIVEN,
    ) -> RunResult:
        """Take one turn. A cancellation keeps the question, and the answer as far as it arrived.

        `given` are the files that go with it. `ask` asks the person what agents ask; None: nobody is there, and an
        ensemble that asks is refused. `keep` False: nothing of it is stored, and agents receive the history as far
        as it can be read. Raises `StorageError`, before any call, if the turn is to be stored and can't be.
        """
        if keep:
            self._say_what_is_lost(waiting)
            keep_choices(self._app, self.partner, self.conversation, begin=True)
        budget = self._budget
        left = NO_CEILINGS if budget is None else budget.left()
        options = RunOptions(
            text,
            RunLimits(
                max_cost_usd=left.max_cost_usd,
                max_total_tokens=left.max_total_tokens,
                budget=budget,
                wait_for_plan=self._options.wait_for_plan,
                tools=self._options.tools,
            ),
            self._options.consent,
            record=None if keep else False,
            conversation=ConversationOptions(
                self.conversation, when_full=self._options.when_full or self.partner.chosen.when_full, keep=keep
            ),
            is_chat=True,
            given=given,
        )
        self._given = given
        listener = RunListener(self._counting(show), waiting=waiting, stream=self._options.stream, ask=ask)
        result = await run_ensemble(self._app, self.ensemble, options, listener, runtime=self._runtime)
        self._has_kept = self._has_kept or keep
        self._count(result)
        return result

    def _say_what_is_lost(self, waiting: Callable[[str], None]) -> None:
        """Report a lost history: the state folder may have been deleted since the last turn."""
        if self._has_kept and not self.turns(0)[1]:
            self._has_kept = False
            waiting(
                f"Conversation {self.conversation} is no longer on the disk: its history is lost, and no"
                " agent receives it. It starts again."
            )

    async def go_on(
        self,
        result: RunResult,
        when_full: WhenFull,
        *,
        show: Callable[[RunEvent], None],
        ask: AskHere | None = None,
    ) -> RunResult:
        """Ask the agents again whose conversation no longer fitted, with this policy; show what is new."""
        if not result.recorded:
            self.undo()
            asked = replace(self._options, when_full=when_full)
            before, self._options = self._options, asked
            try:
                nothing: Callable[[str], None] = lambda _sentence: None  # noqa: E731
                return await self.say(result.task, show=show, waiting=nothing, ask=ask, given=self._given)
            finally:
                self._options = before
        began, count = self._app.clock.now(), self._counting(show)

        def show_new(event: RunEvent) -> None:
            if isinstance(event, AgentDelta) or event.at >= began:
                count(event)

        limits = RunLimits(
            budget=self._budget, wait_for_plan=self._options.wait_for_plan, tools=self._options.tools
        )
        options = ResumeOptions(result.run_id, limits, self._options.consent, when_full, in_chat=True)
        listener = RunListener(show_new, stream=self._options.stream, ask=ask)
        resumed = await resume_run(self._app, options, listener, runtime=self._runtime)
        self._count(resumed, but=result)
        return resumed

    def undo(self) -> tuple[Turn, ...]:
        """Undo the last turn of all agents; return what was undone."""
        if not self._app.paths.conversations_database.exists():
            return ()
        with conversations(self._app) as store:
            found = store.get(self.conversation)
            taken = () if found is None else tuple(store.undo(found, self._app.clock.now()))
            self._has_kept = found is not None and store.count(found) > 0
        return taken

    def turns(self, newest: int | None = None) -> tuple[tuple[Turn, ...], int]:
        """Return the newest turns and the number of earlier ones."""
        if not self._app.paths.conversations_database.exists():
            return (), 0
        with conversations(self._app) as store:
            found = store.get(self.conversation)
            if found is None:
                return (), 0
            turns = store.turns(found, newest=newest)
            return tuple(turns), store.count(found) - len(turns)

    async def go_to(self, conversation: str) -> tuple[str, ...]:
        """Continue in this conversation, with what was chosen in it; a new one keeps what is chosen now.

        Return what was chosen in it and means nothing any more, in sentences. Raises what `choose` raises.
        """
        before = self.conversation, self._has_kept
        partner, lost = partner_in(self._app, self.partner, conversation)
        self.conversation, self._has_kept = conversation, False
        try:
            await self.choose(partner)
        except BaseException:
            self.conversation, self._has_kept = before
            raise
        return lost

    def fork(self, name: str) -> None:
        """Continue in a copy. Raises `InputError`, `ConversationNotFound` if nothing has been said yet."""
        with conversations(self._app) as store:
            store.fork(store.find(self.conversation), name, self._app.clock.now())
        self.conversation = name

    def _count(self, result: RunResult, but: RunResult | None = None) -> None:
        """Add the cost of a run; `but` is an earlier attempt of it, which is already counted."""
        self.calls += result.total.calls - (but.total.calls if but else 0)

    def _counting(self, show: Callable[[RunEvent], None]) -> Callable[[RunEvent], None]:
        """Return `show`, with the costs in events counted, including those of a turn that was cut."""

        def count(event: RunEvent) -> None:
            if not isinstance(event, AgentDelta):
                self._costs.apply(event)
            show(event)

        return count

    @property
    def spend(self) -> Spend:
        """The cost of all turns."""
        costs = self._costs
        unknown = costs.unknown + costs.unanswered
        known_usd = costs.known_usd
        return Spend(
            self.calls,
            cost_usd=None if unknown else known_usd,
            known_cost_usd=known_usd,
            unknown_costs=unknown,
            unanswered=costs.unanswered,
        )


def new_name(ensemble: Ensemble) -> str:
    """Return a name for a new conversation: the ensemble, and the time."""
    return f"{ensemble.name[:60].replace(' ', '-')}-{time.strftime('%Y%m%d-%H%M%S')}"
