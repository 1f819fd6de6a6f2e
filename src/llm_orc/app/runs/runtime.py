"""What one run leaves open for the next: connections, sign-ins, and the processes of official CLIs."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from llm_orc.agents.candidate import Candidate
from llm_orc.app.access.costs import cost_of
from llm_orc.app.access.finder import access_finder
from llm_orc.net.http import Http
from llm_orc.net.open_files import raise_open_files
from llm_orc.providers.limits.limiter import Gate, Limiters

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from llm_orc.agents.choice import ModelChoice
    from llm_orc.app.access.consent import Paying
    from llm_orc.app.access.finder import AccessFinder
    from llm_orc.app.access.models import Model, Models
    from llm_orc.app.wiring import App
    from llm_orc.sandbox.server import Sandbox

Choices = dict[str, tuple["ModelChoice", ...]]


@dataclass(frozen=True, slots=True)
class BatchWays:
    """What is other in a batch: limiters that a process has but once, and `patience` times as many tries."""

    limiters: Limiters
    patience: int = 1


def limiters_of(app: App, gate: Gate | None = None) -> Limiters:
    """Return limiters that keep to the settings. `gate` is one that processes share."""
    return Limiters({name: provider.limits for name, provider in app.settings.providers.items()}, gate)


class Session:
    """Enter it, run once or often, leave it: nothing that it started outlives it. `connections` bounds a run."""

    def __init__(
        self, app: App, *, paying: Paying, rehearsal: bool, stream: bool, batch: BatchWays | None = None
    ) -> None:
        self.connections = 0
        self._app = app
        self._paying, self._rehearsal, self._stream = paying, rehearsal, stream
        self._patience = batch.patience if batch else 1
        # Canned answers use up no account, but stand on the queues of the limits.
        self._limiters = batch.limiters if batch else Limiters({}) if rehearsal else limiters_of(app)
        self._stack = AsyncExitStack()
        self._ready: tuple[Mapping[str, tuple[ModelChoice, ...]], Models] | None = None
        self._candidates: dict[str, tuple[Candidate, ...]] = {}
        self._http: Http
        self._finder: AccessFinder

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self.connections = raise_open_files()
            sandbox = await stack.enter_async_context(_sandbox()) if self._rehearsal else None
            if sandbox is not None:
                self.connections //= 2  # both ends of each are ours
            self._http = await stack.enter_async_context(Http(self._app.settings.network, self.connections))
            self._finder = await stack.enter_async_context(
                access_finder(self._app, self._http, paying=self._paying, sandbox=sandbox)
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def models_for(
        self, choices: Mapping[str, tuple[ModelChoice, ...]]
    ) -> tuple[Models, Mapping[str, tuple[Candidate, ...]]]:
        """Find the access of every agent, and return its models ready to be called; the same ones as the last time
        where nobody chose otherwise, so that what they keep between two turns is kept. Raises for all at once.
        """
        if self._ready is None or self._ready[0] != choices:
            ready = await self._finder.find_all(choices)
            self._ready = (choices, ready)
            self._candidates = {
                agent: tuple(self._candidate(m) for m in models) for agent, models in ready.by_agent.items()
            }
        return self._ready[1], self._candidates

    def _candidate(self, model: Model) -> Candidate:
        retries = self._app.settings.runs.max_retries * self._patience
        limiter = self._limiters.of(model.access)
        built = model.connection.build(
            model, self._http, max_retries=retries, stream=self._stream, limiter=limiter
        )
        return Candidate(model.choice, built, model.access, cost_of(model), model.unpriced_options)


def _sandbox() -> Sandbox:
    from llm_orc.sandbox.server import Sandbox  # noqa: PLC0415 - a server's worth of imports, for rehearsals only

    return Sandbox(show_prompts=True, keep_requests=False)
