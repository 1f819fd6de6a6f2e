"""What decides in a run whether an agent may call a tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.kinds import agents_with_source
from llm_orc.agents.path import model_key
from llm_orc.app.tools.permission import Layers, rules_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.app.tools.permission import Rule
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble


def layers_of(app: App, ensemble: Ensemble, line: Sequence[Rule] = ()) -> Layers:
    """Return what decides for the agents of the ensemble whether they may call a tool."""
    foreign = {
        model_key(path)
        for path, _, source in agents_with_source(ensemble)
        if source is not None and not source.is_users
    }
    return Layers(tuple(line), rules_of(app.settings.permissions), lambda agent: model_key(agent) not in foreign)
