"""One question to one model, without an ensemble of one's own; and the next question, which follows from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.work import ModelWork
from llm_orc.app.conversations.archive import conversations
from llm_orc.app.conversations.partner import Partner, partner_in
from llm_orc.app.conversations.targets import ASKING
from llm_orc.conversations.chosen import Chosen
from llm_orc.dataclass import dataclass
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import ConversationNotFound
from llm_orc.runs.filter import RunFilter
from llm_orc.settings.profiles import find_profile

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.runs.recipe import RecordedRun

_AGENT = "assistant"
_LOOKED_AT = 50  # runs


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom a question is for, and the conversation it belongs to; None: none yet, `continue_last` can make one."""

    partner: Partner
    conversation: str | None = None

    def with_model(self, app: App, model: str | None, profile: str | None) -> Asking:
        """Name the model: as `agents.named_models` does. Raises `SettingsError`, `ProfileNotFound`."""
        if profile is not None:
            model = find_profile(app.settings, profile).name
        return self if model is None else replace(self, partner=self.partner.with_model(app, model))

    def with_role(self, text: str | None) -> Asking:
        return self if text is None else replace(self, partner=self.partner.with_role(text))


def ask_first(app: App, conversation: str | None) -> Asking:
    """Ask the model of the profile `default`, or in a conversation that exists what was chosen there."""
    nobody = Partner(Ensemble(ASKING, (AgentSpec(_AGENT),)))
    if conversation is None:
        return Asking(nobody)
    partner, _lost = partner_in(app, nobody, conversation)
    return Asking(partner, conversation)


def continue_last(app: App) -> Asking:
    """Continue after the last question that has an answer, with its model and role.

    A question that belongs to no conversation yet begins one. Raises `ConversationNotFound`, `StorageError`.
    """
    last = _last_answered(app)
    if last is None:
        raise ConversationNotFound("there is no question to continue from", hint='llm-orc ask "…"')
    if last.recipe.conversation is not None:
        return ask_first(app, last.recipe.conversation)
    name = f"{ASKING}-{last.row.run_id}"
    output, now = last.state.outputs[_AGENT], app.clock.now()
    spec = last.recipe.ensemble.agents[0]
    assert isinstance(spec.work, ModelWork)
    with conversations(app) as store:
        begun = store.begin(name, ASKING, None, now)
        if not store.count(begun):
            role = spec.work.system_prompt
            store.add(begun, _AGENT, "user", last.recipe.task, now, system_prompt=role)
            store.add(begun, _AGENT, "assistant", output.text, now)
    provider = last.recipe.choices[_AGENT][0].provider
    return Asking(Partner(Ensemble(ASKING, (AgentSpec(_AGENT),)), _chosen(spec.work, provider)), name)


def _chosen(work: ModelWork, provider: str | None) -> Chosen:
    """Return what was chosen for a question that `provider` has answered; of a bare name, it is the one found."""
    chosen = Chosen().with_role(_AGENT, work.system_prompt)
    model = work.model
    if not model.is_typed:
        return chosen
    parts = [model.provider or provider or "", *([model.model] if model.model else [])]
    return chosen.with_model(_AGENT, model.profile or "/".join(parts))


def _last_answered(app: App) -> RecordedRun | None:
    if not app.paths.runs_database.exists():
        return None
    from llm_orc.runs.recipe import load_run  # noqa: PLC0415 - heavy: msgspec

    journal = app.open_journal()
    try:
        for row in journal.runs(RunFilter(kind="ensemble", ensemble=ASKING), limit=_LOOKED_AT):
            if row.sandbox or not row.finished:
                continue
            run = load_run(journal, row.run_id)
            if run.recipe.ensemble.source is None and _AGENT in run.state.outputs:
                return run
    finally:
        journal.close()
    return None
