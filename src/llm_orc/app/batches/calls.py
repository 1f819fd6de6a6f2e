"""Calls to the agents of batches, with this machine's own credentials, found when a batch is first worked on."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Self

from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.files.run_files import RunFiles
from llm_orc.agents.model.caller import LlmCaller
from llm_orc.agents.uses.limits import CeilingsWithin
from llm_orc.app.access.consent import consent_of, unattended
from llm_orc.app.batches.prompts import candidates_of_row, prompts_with_columns
from llm_orc.app.batches.store import caller_of, is_own_store
from llm_orc.app.cache.calls import cached_calls
from llm_orc.app.projects.foreign import refuse_foreign
from llm_orc.app.runs.runtime import Runtime, Terms
from llm_orc.app.runs.tools.open import tools_of
from llm_orc.batches.batch import BatchLimits
from llm_orc.batches.database import in_store
from llm_orc.batches.files.contents import load_content
from llm_orc.batches.plan_waits import known_waits
from llm_orc.batches.workers.spending.account import BatchAccount, LimitsChanged
from llm_orc.batches.workers.spending.row_budget import RowBudget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from llm_orc.agents.candidate import Candidate
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.tools.tool import Tools
    from llm_orc.agents.turn import AgentTurn, CallAgent
    from llm_orc.app.wiring import App
    from llm_orc.batches.workers.stoppable import BeforeSend
    from llm_orc.batches.workers.worker_store import WorkerStore
    from llm_orc.providers.limits.limiter import SlowedDown
    from llm_orc.runs.recipe import Recipe

_LEARN_S = 5.0
_PATIENCE = 3  # times as many retries as in a run: a row that fails has to be retried by hand


class BatchCalls:
    """A `CallerFactory`. Enter it around a worker: connections and sign-ins last for all rows of a batch."""

    def __init__(self, app: App, store: WorkerStore, *, waits: bool = False) -> None:
        """`waits`: rows of all batches wait for a plan that is used up, not only of those that say so."""
        self._app, self._store, self._waits = unattended(app), store, waits
        self._learned_at: dict[str, float] = {}  # by batch
        self._stack = AsyncExitStack()
        self._ready: dict[str, tuple[LlmCaller, BatchAccount]] = {}
        self._candidates: dict[str, Mapping[str, Sequence[Candidate]]] = {}
        self._files: dict[str, RunFiles] = {}
        self._opening = asyncio.Lock()
        self._runtime: Runtime | None = None
        self._tools: dict[str, Tools | None] = {}  # of each batch

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def __call__(self, batch_id: str, number: int, recipe: Recipe, before_send: BeforeSend, /) -> CallAgent:
        """Return what calls the agents of one row. Raises `AuthError` or `SettingsError` if this machine can't."""
        if batch_id not in self._ready:
            self._ready[batch_id] = await self._prepare(batch_id, recipe)
        await self._learn_waits(batch_id)
        caller, account = self._ready[batch_id]
        candidates = await self._candidates_of_row(batch_id, number, recipe)
        ceilings, runtime = CeilingsWithin(recipe.ensemble), await self._shared_runtime()
        shared = () if recipe.rehearsal else runtime.budgets()

        files = self._files[batch_id]

        async def ask_model(turn: AgentTurn) -> AgentOutput:
            if turn.files:
                await in_store(partial(files.read, turn.files))
            while True:
                budget = RowBudget(account, number, before_send, ceilings.around(turn.path))
                try:
                    return await caller.with_budgets((*shared, budget), candidates)(turn)
                except LimitsChanged:
                    continue

        call = AgentCaller(ask_model, rehearsal=recipe.rehearsal, tools=self._tools[batch_id])
        asked = candidates or self._candidates[batch_id]
        row, now = f"{batch_id}:{number}", self._app.clock.now
        return cached_calls(call, runtime.answers, asked, recipe=recipe, run_id=row, now=now)

    async def _learn_waits(self, batch_id: str) -> None:
        """Take over which plans other workers have found used up, and earlier ones. Looks every few seconds."""
        now = self._app.clock.monotonic()
        if self._runtime is not None and now - self._learned_at.get(batch_id, -_LEARN_S) >= _LEARN_S:
            self._learned_at[batch_id] = now
            wall = self._app.clock.now()
            for used_up in await in_store(partial(known_waits, self._store.engine, batch_id, wall)):
                self._runtime.plans.learn(used_up)

    async def _candidates_of_row(
        self, batch_id: str, number: int, recipe: Recipe
    ) -> Mapping[str, Sequence[Candidate]] | None:
        """Return candidates with the row's values in their system prompts; None if no prompt has placeholders."""
        if not prompts_with_columns(recipe.choices):
            return None
        row = await in_store(partial(self._store.batches.row, batch_id, number))
        return candidates_of_row(self._candidates[batch_id], row.fields)

    async def give_back(self, batch_id: str | None = None) -> None:
        """Stop counting calls that were not made, of one batch or of all. Call it when no call follows."""
        for name, (_, account) in self._ready.items():
            if batch_id in {None, name}:
                await account.give_back()

    def slowed_down(self) -> tuple[SlowedDown, ...]:
        """Return the providers that are busy, so that calls of this process wait."""
        return () if self._runtime is None else self._runtime.slowed_down()

    async def _shared_runtime(self) -> Runtime:
        """Return the runtime that all batches of this process share."""
        async with self._opening:
            if self._runtime is None:
                runtime = Runtime(self._app, gate=self._store.gate)
                self._runtime = await self._stack.enter_async_context(runtime)
            return self._runtime

    async def _prepare(self, batch_id: str, recipe: Recipe) -> tuple[LlmCaller, BatchAccount]:
        store = self._store
        if not is_own_store(self._app, store.url):
            refuse_foreign(self._app, recipe)
        runtime = await self._shared_runtime()
        caller = caller_of(store.url)
        terms = Terms(consent_of(recipe), recipe.rehearsal, patience=_PATIENCE, caller=caller)
        models = await runtime.models_for(recipe.choices, terms)
        candidates = models.candidates
        batch = await in_store(partial(store.batches.batch, batch_id))
        limits = BatchLimits() if batch is None else batch.limits
        account = BatchAccount(store.engine, store.worker_id, batch_id, limits)
        self._candidates[batch_id] = candidates
        waits = self._waits or recipe.wait_for_plan
        files = RunFiles(None, recipe.named_files, partial(load_content, store.engine, batch_id))
        self._files[batch_id] = files
        self._tools[batch_id] = await self._stack.enter_async_context(tools_of(self._app, recipe))
        return LlmCaller(candidates, plans=runtime.plans, waits=waits, waits_elsewhere=True, files=files), account
