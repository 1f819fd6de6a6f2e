"""The target of a chat: an ensemble, one of its agents, a profile or a provider; or that of an earlier chat."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.named_models import listed_model, unknown_model, with_named_model
from llm_orc.agents.references.syntax import literal
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.uses.graph import uses_of
from llm_orc.agents.work import ModelWork
from llm_orc.app.conversations.archive import conversations
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.conversation_origin import is_begun_by, newest_of, refuse_untrusted
from llm_orc.conversations.chosen import Chosen
from llm_orc.dataclass import dataclass
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import EnsembleNotFound, InputError, LlmOrcError, SettingsError
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llm_orc.agents.work import ModelRef
    from llm_orc.app.wiring import App
    from llm_orc.conversations.conversation import Conversation
    from llm_orc.conversations.store import ConversationStore

_NOBODY_IN_PARTICULAR = "chat"
ASKING = "ask"  # a question without a chat: the name of its ensemble, in lists of runs


def resolve_target(app: App, target: str | None) -> Ensemble:
    """Return what `target` names: an ensemble, `ENSEMBLE:AGENT`, an agent, a profile or a provider.

    None: the model of the profile `default`, without a role.

    Raises `EnsembleNotFound` with the closest names, `EnsembleInvalid`.
    """
    if target is None:
        return _alone(_NOBODY_IN_PARTICULAR, AgentSpec("assistant"))
    try:
        return find_ensemble(app, target)
    except EnsembleNotFound as e:
        whole, colon, agent = target.rpartition(":")
        if colon:
            return agent_alone(find_ensemble(app, whole), agent)
        found = [*_agents_called(app, target)]
        if len(found) > 1:
            forms = ", ".join(f"`{ensemble.name}:{target}`" for ensemble in found[:5])
            raise EnsembleNotFound(
                f"several ensembles have an agent `{target}`", hint=f"Choose one: {forms}."
            ) from e
        if found:
            return agent_alone(found[0], target)
        try:
            return model_alone(app, target)
        except SettingsError:
            raise e from None


def with_role(ensemble: Ensemble, text: str | None, agent: str | None = None) -> Ensemble:
    """Return the ensemble with this system prompt for one of its agents. Raises `InputError`."""
    role = None if text is None else literal(text)
    return _changed(ensemble, agent, lambda work: replace(work, system_prompt=role))


def with_model(ensemble: Ensemble, model: ModelRef, agent: str | None = None) -> Ensemble:
    """Return the ensemble with this model for one of its agents, or for all with a model if `agent` is None."""
    for name in changed_agents(ensemble, agent, all_of_them=True):
        ensemble = _changed(
            ensemble,
            name,
            lambda work: with_named_model(work, model),
        )
    return ensemble


def changed_agents(ensemble: Ensemble, agent: str | None, *, all_of_them: bool = False) -> tuple[str, ...]:
    """Return the agents that a change is about: `agent`, the only one, or all that ask a model.

    Raises `InputError` if one is to be chosen among several, or calls no model, and `EnsembleNotFound`.
    """
    if agent is None and all_of_them:
        return tuple(spec.name for spec in ensemble.agents if isinstance(spec.work, ModelWork))
    if agent is None:
        if len(ensemble.agents) > 1:
            raise InputError("choose one: " + ", ".join(spec.name for spec in ensemble.agents))
        agent = ensemble.agents[0].name
    if not isinstance(_spec(ensemble, agent).work, ModelWork):
        raise InputError(f"agent `{agent}` calls no model, so it has neither a model nor a role")
    return (agent,)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A conversation to continue: its name, its target, and what was chosen in it."""

    name: str
    partner: Ensemble
    chosen: Chosen


def go_on_with(app: App, name: str | None, target: str | None) -> Earlier | None:
    """Return the conversation of that name, or the last one (with `target`, if it is given), and its target.

    None if there is no such conversation. Raises what `find_partner` raises, and `NotTrusted`.
    """
    partner = None if target is None else resolve_target(app, target)
    if not app.paths.conversations_database.exists():
        return None
    with conversations(app) as store:
        if name is not None:
            found = store.get(name)
        else:
            found = store.newest() if partner is None else newest_of(store, partner)
        if found is None:
            return None
        if partner is None:
            partner = _partner_of(app, found)
        chosen = chosen_in(store, found, partner)
    refuse_untrusted(app, partner, found.name)
    return Earlier(found.name, partner, chosen)


def chosen_in(store: ConversationStore, conversation: Conversation, partner: Ensemble) -> Chosen:
    """Return what was chosen in a conversation for this partner; nothing if another one began it.

    Where no choice was ever stored, as by earlier builds, a partner without a file keeps its last role.
    """
    if not is_begun_by(conversation, partner):
        return Chosen()
    chosen = store.chosen(conversation)
    if chosen is None and partner.source is None and len(partner.agents) == 1:
        asked = [turn for turn in store.turns(conversation, newest=2) if turn.role == "user"]
        if asked and asked[-1].system_prompt is not None:
            return Chosen().with_role(partner.agents[0].name, asked[-1].system_prompt)
    return chosen or Chosen()


def _partner_of(app: App, conversation: Conversation) -> Ensemble:
    """Return the conversation's target; its name may now mean another one. Raises what `find_partner` raises."""
    name, source = conversation.ensemble, conversation.source
    if name in (_NOBODY_IN_PARTICULAR, ASKING) and source is None:
        return resolve_target(app, None)
    called = None
    with suppress(EnsembleNotFound):
        called = resolve_target(app, name)
    if called is not None and is_begun_by(conversation, called):
        return called
    try:
        if source is not None:
            agent = name.rpartition(":")[2] if ":" in name else ""
            return resolve_target(app, f"{source}:{agent}" if agent else source)
        return model_alone(app, name)
    except (EnsembleNotFound, SettingsError):  # its file is gone, or it never was a file
        if called is None:
            raise
        return called


def _alone(name: str, agent: AgentSpec) -> Ensemble:
    return Ensemble(name, (replace(agent, conversation=True),))


def model_alone(app: App, name: str) -> Ensemble:
    """Return the model that `name` names, without a role. Raises `SettingsError`."""
    found = listed_model(app.settings, name)
    if found is None:
        raise unknown_model(app.settings, name)
    return _alone(name, AgentSpec(name, with_named_model(ModelWork(), found)))


def agent_alone(ensemble: Ensemble, agent: str) -> Ensemble:
    """Return the agent alone, without dependencies."""
    spec = _spec(ensemble, agent)
    referred = [name for name in uses_of(ensemble).needs[agent] if name not in spec.depends_on]
    if referred:
        raise InputError(
            f"agent `{agent}` refers to the answer of `{referred[0]}`, so it can't be talked to alone",
            hint=f"Talk to the whole ensemble: `llm-orc chat {ensemble.name}`.",
        )
    alone = replace(spec, depends_on=(), requires="all", handles_failure=False, input_key=None, conversation=True)
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


def _changed(ensemble: Ensemble, agent: str | None, change: Callable[[ModelWork], ModelWork]) -> Ensemble:
    (name,) = changed_agents(ensemble, agent)
    agents = (
        replace(spec, work=change(spec.work)) if spec.name == name and isinstance(spec.work, ModelWork) else spec
        for spec in ensemble.agents
    )
    return replace(ensemble, agents=tuple(agents))


def _spec(ensemble: Ensemble, agent: str) -> AgentSpec:
    for spec in ensemble.agents:
        if spec.name == agent:
            return spec
    names = [spec.name for spec in ensemble.agents]
    raise EnsembleNotFound(
        f"ensemble `{ensemble.name}` has no agent `{agent}`",
        hint=did_you_mean(agent, names) or f"It has: {', '.join(names)}.",
    )
