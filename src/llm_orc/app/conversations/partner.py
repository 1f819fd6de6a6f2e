"""Whom a chat is with: an ensemble, and what its user has chosen for its agents in the conversation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.named_models import remembered_model, to_remember, unknown_model
from llm_orc.app.conversations.archive import conversations
from llm_orc.app.conversations.targets import changed_agents, chosen_in, with_model, with_role
from llm_orc.app.runs.conversation_origin import is_begun_by
from llm_orc.auth.access import Bill, Billing
from llm_orc.conversations.chosen import Chosen
from llm_orc.dataclass import dataclass
from llm_orc.errors import LlmOrcError, MeteredNotAllowed

if TYPE_CHECKING:
    from llm_orc.agents.work import ModelRef
    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble


@dataclass(frozen=True, slots=True)
class Partner:
    """`ensemble` is as its file has it; `typed` are the agents whose model was named in this chat, not before."""

    ensemble: Ensemble
    chosen: Chosen = Chosen()
    typed: frozenset[str] = frozenset()

    def in_force(self, app: App) -> Ensemble:
        """Return the ensemble with what was chosen. Raises `SettingsError` for a model that there is no more."""
        ensemble = self.ensemble
        for agent, text in self.chosen.roles.items():
            ensemble = with_role(ensemble, text or None, agent)
        for agent, text in self.chosen.models.items():
            ensemble = with_model(ensemble, _remembered(app, text), agent)
        return ensemble

    def with_role(self, text: str | None, agent: str | None = None) -> Partner:
        """Choose a role for one agent; None: its own again. Raises `InputError` if there are several."""
        (agent,) = changed_agents(self.ensemble, agent)
        return replace(self, chosen=self.chosen.with_role(agent, text))

    def with_model(self, app: App, text: str | None) -> Partner:
        """Choose a model for all agents that ask one; None: their own again. Raises `SettingsError`."""
        if text is not None:
            text = to_remember(app.settings, text)
        chosen, agents = self.chosen, changed_agents(self.ensemble, None, all_of_them=True)
        for agent in agents:
            chosen = chosen.with_model(agent, text)
        return replace(self, chosen=chosen, typed=frozenset(agents))

    def refuse_unasked_bill(self, plan: AccessPlan, conversation: str, agreed: frozenset[Bill]) -> None:
        """Raise `MeteredNotAllowed` if a model that was chosen in an earlier chat is billed per token.

        It was consent then, for what was said then; going on with it is asked for.
        """
        for agent in plan.agents:
            chosen = self.chosen.models.get(agent.agent)
            if chosen is None or agent.agent in self.typed or agent.access.billing is not Billing.METERED:
                continue
            if Bill.of(agent.model, agent.access) in agreed:
                continue
            raise MeteredNotAllowed(
                f"`{chosen}` was chosen in conversation `{conversation}`, and is `{agent.access.provider}`,"
                f" billed per token ({agent.access.source})",
                hint=f"Choose it again with `--model {chosen}`, another one, or allow it with `--allow-metered`.",
            )


def _remembered(app: App, text: str) -> ModelRef:
    found = remembered_model(app.settings, text)
    if found is None:
        raise unknown_model(app.settings, text)
    return found


def still_there(app: App, partner: Partner) -> tuple[Partner, tuple[str, ...]]:
    """Return the partner without choices that mean nothing any more, and a sentence about each of them."""
    kept, lost = Chosen(when_full=partner.chosen.when_full), []
    for agent, text in partner.chosen.roles.items():
        try:
            with_role(partner.ensemble, text, agent)
        except LlmOrcError as e:
            lost.append(f"The role that was chosen for `{agent}` is left out: {e.message}.")
        else:
            kept = kept.with_role(agent, text)
    for agent, text in partner.chosen.models.items():
        try:
            with_model(partner.ensemble, _remembered(app, text), agent)
        except LlmOrcError as e:
            lost.append(f"The model that was chosen for `{agent}` is left out: {e.message}.")
        else:
            kept = kept.with_model(agent, text)
    return replace(partner, chosen=kept), tuple(lost)


def keep_choices(app: App, partner: Partner, conversation: str, *, begin: bool) -> None:
    """Store what was chosen in the conversation, unless another ensemble began it.

    `begin` False: nothing is stored if the conversation doesn't exist yet.
    """
    if not begin and not app.paths.conversations_database.exists():
        return
    with conversations(app) as store:
        found = store.get(conversation)
        if found is None and begin and partner.chosen:
            source = partner.ensemble.source
            found = store.begin(
                conversation, partner.ensemble.name, source.path if source else None, app.clock.now()
            )
        if found is not None and is_begun_by(found, partner.ensemble) and store.chosen(found) != partner.chosen:
            store.choose(found, partner.chosen)


def partner_in(app: App, partner: Partner, conversation: str) -> tuple[Partner, tuple[str, ...]]:
    """Return the partner with what was chosen in another conversation, as `still_there`.

    A conversation that doesn't exist yet takes over what is chosen now.
    """
    if not app.paths.conversations_database.exists():
        return partner, ()
    with conversations(app) as store:
        found = store.get(conversation)
        if found is None:
            return partner, ()
        chosen = chosen_in(store, found, partner.ensemble)
    return still_there(app, Partner(partner.ensemble, chosen))
