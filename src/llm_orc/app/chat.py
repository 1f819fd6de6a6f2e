"""Talk to an agent or a whole ensemble: one run for each turn, in one session and one conversation."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from llm_orc.agents.base import AgentSpec, ModelRef, WhenFull
from llm_orc.app.choices import choices_of
from llm_orc.app.conversations import conversations
from llm_orc.app.conversing import ConversationOptions
from llm_orc.app.find_ensemble import find_ensemble
from llm_orc.app.resume_run import ResumeOptions, resume_run
from llm_orc.app.run_ensemble import RunOptions, run_ensemble
from llm_orc.app.session import Session
from llm_orc.engine.events import AgentDelta
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import EnsembleNotFound, InputError, LlmOrcError, SettingsError
from llm_orc.providers.catalog import PROVIDERS
from llm_orc.storage.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from llm_orc.app.access import AccessPlan
    from llm_orc.app.wiring import App
    from llm_orc.conversations.conversation import Conversation, Turn
    from llm_orc.engine.events import RunEvent
    from llm_orc.runs.state import RunResult

_NOBODY_IN_PARTICULAR = "chat"


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """`conversation` None: a new one. `when_full` None: a turn that no longer fits fails; its person decides."""

    conversation: str | None = None
    allow_metered: bool = False
    max_cost_usd: float | None = None  # over all turns of the chat
    when_full: WhenFull | None = None
    stream: bool = False


def find_partner(app: App, target: str | None) -> Ensemble:
    """Return whom `target` names: an ensemble, `ENSEMBLE:AGENT`, an agent, a profile or a provider; None: a model
    that is told no role, of the profile `default`.

    Raises `EnsembleNotFound` with the nearest names, `EnsembleInvalid`.
    """
    if target is None:
        return _alone(_NOBODY_IN_PARTICULAR, AgentSpec("assistant"))
    try:
        return find_ensemble(app, target)
    except EnsembleNotFound as e:
        whole, colon, agent = target.rpartition(":")
        if colon:
            return _one_of(find_ensemble(app, whole), agent)
        found = [*_agents_called(app, target)]
        if len(found) > 1:
            forms = ", ".join(f"`{ensemble.name}:{target}`" for ensemble in found[:5])
            raise EnsembleNotFound(
                f"several ensembles have an agent `{target}`", hint=f"Say which: {forms}"
            ) from e
        if found:
            return _one_of(found[0], target)
        try:
            return _alone(target, AgentSpec(target, model_of(app, target)))
        except SettingsError:
            raise e from None


def model_of(app: App, text: str) -> ModelRef:
    """Return the model that `text` names: a profile, a provider, or `PROVIDER/MODEL`. Raises `SettingsError`."""
    if text in app.settings.profiles:
        return ModelRef(profile=text)
    providers = {*PROVIDERS, *app.settings.providers}
    if text in providers:
        return ModelRef(provider=text)
    provider, slash, model = text.partition("/")
    if slash and model and provider in providers:
        return ModelRef(provider=provider, model=model)
    raise SettingsError(
        f"`{text}` is neither a model profile nor a provider",
        hint=did_you_mean(text, [*app.settings.profiles, *sorted(providers)])
        or "Name a profile (llm-orc list-profiles), a provider, or PROVIDER/MODEL.",
    )


def with_role(ensemble: Ensemble, text: str, agent: str | None = None) -> Ensemble:
    """Return the ensemble with this system prompt for one of its agents. Raises `InputError`."""
    return _changed(ensemble, agent, lambda spec: replace(spec, system_prompt=text))


def with_model(ensemble: Ensemble, model: ModelRef, agent: str | None = None) -> Ensemble:
    """Return the ensemble with this model for one of its agents, all of them where `agent` is None."""
    names = [agent] if agent is not None else [spec.name for spec in ensemble.agents]
    for name in names:
        ensemble = _changed(
            ensemble,
            name,
            lambda spec: replace(spec, model=model, fallback_model_profile=None, auth_method=None),
        )
    return ensemble


class Chat:
    """Enter it to open connections, leave it to close them; what was said stays in its conversation."""

    def __init__(self, app: App, ensemble: Ensemble, options: ChatOptions) -> None:
        self.ensemble = ensemble
        self.conversation = options.conversation or new_name(ensemble)
        self.spent_usd: float | None = 0.0
        self.calls = 0
        self._app, self._options = app, options
        self._stack = AsyncExitStack()
        self._session: Session

    async def __aenter__(self) -> Self:
        session = Session(
            self._app,
            allow_metered=self._options.allow_metered,
            rehearsal=False,
            stream=self._options.stream,
        )
        self._session = await self._stack.enter_async_context(session)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def plan(self) -> AccessPlan:
        """Return what the next turn will use, before anything is said. Raises what a run would raise."""
        ready, _ = await self._session.models_for(choices_of(self.ensemble, self._app.settings))
        return ready.plan

    async def say(
        self, text: str, *, show: Callable[[RunEvent], None], waiting: Callable[[str], None]
    ) -> RunResult:
        """Take one turn. A cancellation keeps the question, and the answer as far as it came."""
        left = self._options.max_cost_usd
        result = await run_ensemble(
            self._app,
            self.ensemble,
            RunOptions(
                text,
                allow_metered=self._options.allow_metered,
                max_cost_usd=None if left is None else max(0.0, left - (self.spent_usd or 0.0)),
                stream=self._options.stream,
                conversation=ConversationOptions(self.conversation, when_full=self._options.when_full),
            ),
            show=show,
            waiting=waiting,
            session=self._session,
        )
        self._count(result)
        return result

    async def go_on(
        self, result: RunResult, when_full: WhenFull, *, show: Callable[[RunEvent], None]
    ) -> RunResult:
        """Ask again those agents whose conversation no longer fitted, in this way; shows what is new."""
        if not result.recorded:
            self.undo()
            asked = replace(self._options, when_full=when_full)
            before, self._options = self._options, asked
            try:
                return await self.say(result.task, show=show, waiting=lambda _sentence: None)
            finally:
                self._options = before
        began = self._app.clock.now()

        def show_new(event: RunEvent) -> None:
            if isinstance(event, AgentDelta) or event.at >= began:
                show(event)

        resumed = await resume_run(
            self._app,
            ResumeOptions(
                result.run_id,
                allow_metered=self._options.allow_metered,
                stream=self._options.stream,
                when_full=when_full,
            ),
            show=show_new,
            session=self._session,
        )
        self._count(resumed, but=result)
        return resumed

    def undo(self) -> tuple[Turn, ...]:
        """Take the last turn back, with all agents; returns what was taken back."""
        if not self._app.paths.conversations_database.exists():
            return ()
        with conversations(self._app) as store:
            found = store.get(self.conversation)
            return () if found is None else tuple(store.undo(found, self._app.clock.now()))

    def turns(self, newest: int | None = None) -> tuple[tuple[Turn, ...], int]:
        """Return the newest turns and how many stand before them."""
        if not self._app.paths.conversations_database.exists():
            return (), 0
        with conversations(self._app) as store:
            found = store.get(self.conversation)
            if found is None:
                return (), 0
            turns = store.turns(found, newest=newest)
            return tuple(turns), store.count(found) - len(turns)

    def fork(self, name: str) -> None:
        """Go on in a copy. Raises `InputError`, `ConversationNotFound` where nothing has been said yet."""
        with conversations(self._app) as store:
            store.fork(store.find(self.conversation), name, self._app.clock.now())
        self.conversation = name

    def _count(self, result: RunResult, but: RunResult | None = None) -> None:
        """Add what a run took; `but` is an earlier try of it, which was counted then."""
        self.calls += result.total.calls - (but.total.calls if but else 0)
        earlier = but.total.cost_usd if but else 0.0
        if self.spent_usd is None or result.total.cost_usd is None or earlier is None:
            self.spent_usd = None
        else:
            self.spent_usd += result.total.cost_usd - earlier


@dataclass(frozen=True, slots=True)
class Earlier:
    """A conversation to go on with: its name, whom it was with, and the role that one had last."""

    name: str
    partner: Ensemble


def go_on_with(app: App, name: str | None, target: str | None) -> Earlier | None:
    """Return the conversation of that name, or the last one, with `target` where somebody is named, and whom to go
    on with: a partner without a file keeps the role that it had last.

    None where there is no such conversation. Raises what `find_partner` raises.
    """
    partner = None if target is None else find_partner(app, target)
    if not app.paths.conversations_database.exists():
        return None
    with conversations(app) as store:
        found = store.get(name) if name is not None else store.newest(partner.name if partner else None)
        if found is None:
            return None
        asked = [turn for turn in store.turns(found, newest=2) if turn.role == "user"]
    if partner is None:
        partner = _partner_of(app, found)
        if partner.source is None and asked and asked[-1].system_prompt is not None:
            partner = with_role(partner, asked[-1].system_prompt)
    return Earlier(found.name, partner)


def _partner_of(app: App, conversation: Conversation) -> Ensemble:
    if conversation.ensemble == _NOBODY_IN_PARTICULAR and conversation.source is None:
        return find_partner(app, None)
    try:
        return find_partner(app, conversation.ensemble)
    except EnsembleNotFound:
        if conversation.source is None:
            raise
        agent = conversation.ensemble.rpartition(":")[2] if ":" in conversation.ensemble else ""
        return find_partner(app, f"{conversation.source}:{agent}" if agent else conversation.source)


def new_name(ensemble: Ensemble) -> str:
    """Return a name for a new conversation: whom it is with, and when it began."""
    return f"{ensemble.name[:60].replace(' ', '-')}-{time.strftime('%Y%m%d-%H%M%S')}"


def _alone(name: str, agent: AgentSpec) -> Ensemble:
    return Ensemble(name, (replace(agent, conversation=True),))


def _one_of(ensemble: Ensemble, agent: str) -> Ensemble:
    """The agent without those around it: it waits for nobody."""
    spec = _spec(ensemble, agent)
    alone = replace(spec, depends_on=(), requires="all", conversation=True)
    return replace(ensemble, name=f"{ensemble.name}:{agent}", agents=(alone,), conversation=None)


def _agents_called(app: App, name: str) -> Iterator[Ensemble]:
    for entry in app.library.listing().entries:
        if entry.shadowed_by is None:
            try:
                ensemble = find_ensemble(app, entry.name)
            except LlmOrcError:
                continue
            if any(spec.name == name for spec in ensemble.agents):
                yield ensemble


def _changed(ensemble: Ensemble, agent: str | None, change: Callable[[AgentSpec], AgentSpec]) -> Ensemble:
    if agent is None:
        if len(ensemble.agents) > 1:
            raise InputError("say whose: " + ", ".join(spec.name for spec in ensemble.agents))
        agent = ensemble.agents[0].name
    _spec(ensemble, agent)
    return replace(
        ensemble, agents=tuple(change(spec) if spec.name == agent else spec for spec in ensemble.agents)
    )


def _spec(ensemble: Ensemble, agent: str) -> AgentSpec:
    for spec in ensemble.agents:
        if spec.name == agent:
            return spec
    names = [spec.name for spec in ensemble.agents]
    raise EnsembleNotFound(
        f"ensemble `{ensemble.name}` has no agent `{agent}`",
        hint=did_you_mean(agent, names) or f"It has: {', '.join(names)}",
    )
