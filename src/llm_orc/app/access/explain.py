"""Explain an ensemble's access: for every agent what a run would use, why, and what else was considered."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from llm_orc.agents.inputs.values import complete_inputs
from llm_orc.agents.named_models import NONE_NAMED
from llm_orc.agents.spec import AgentSpec
from llm_orc.app.access.bills.agreements import with_agreements
from llm_orc.app.access.choices import choices_of
from llm_orc.app.access.consent import Consent
from llm_orc.app.access.finder import access_finder
from llm_orc.app.access.missing import joined_error
from llm_orc.app.access.models import MissingAccess, plan_of
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import LlmOrcError
from llm_orc.net.http import Http

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from llm_orc.agents.named_models import NamedModels
    from llm_orc.app.access.models import AccessPlan, AgentAccess
    from llm_orc.app.wiring import App
    from llm_orc.jsontypes import JsonValue
    from llm_orc.runs.recipe import Recipe


async def explain_access(
    app: App, ensemble: Ensemble, *, allow_metered: bool = False, models: NamedModels = NONE_NAMED
) -> AccessPlan:
    """Decide as a run would; nothing is sent to a provider. Raises what a run raises before it starts."""
    plan, error = await explain_all(app, ensemble, allow_metered=allow_metered, models=models)
    if error is not None:
        raise error
    return plan


async def explain_all(
    app: App, ensemble: Ensemble, *, allow_metered: bool = False, models: NamedModels = NONE_NAMED
) -> tuple[AccessPlan, LlmOrcError | None]:
    """Return what a run would use, also where agents have no access, and what the run would end with then.

    Raises what else a run raises before it starts.
    """
    consent = with_agreements(app, ensemble, Consent(allow_metered))
    async with (
        Http(app.settings.network, max_connections=8) as http,
        access_finder(app, http, consent=consent) as finder,
    ):
        choices = choices_of(ensemble, app.settings, models)
        ready, failed = await finder.find_each(choices)
    missing = tuple(
        MissingAccess(agent, tuple(problems), ready.considered[agent]) for agent, problems in failed.items()
    )
    plan = replace(plan_of(app, ensemble, ready), missing=missing)
    return plan, joined_error(failed) if failed else None


async def preview_run(
    app: App,
    ensemble: Ensemble,
    task: str,
    models: NamedModels = NONE_NAMED,
    inputs: Mapping[str, JsonValue] = MappingProxyType({}),
) -> AccessPlan:
    """Return what a run on `task` and `inputs` would use if the user agreed to pay, and what it may cost."""
    from llm_orc.runs.recipe import Recipe  # noqa: PLC0415 - heavy: the journal

    choices = choices_of(ensemble, app.settings, models)
    values = complete_inputs(ensemble.name, ensemble.inputs, inputs)
    return await preview_recipe(app, Recipe(ensemble, task, choices, inputs=values))


async def preview_recipe(app: App, recipe: Recipe, answered: Collection[str] = ()) -> AccessPlan:
    """Return what a run of the recipe would use if the user agreed to pay, without the agents in `answered`."""
    from llm_orc.app.access.bills.estimate import estimate  # noqa: PLC0415 - heavy: a dialect

    choices = {agent: found for agent, found in recipe.choices.items() if agent not in answered}
    async with (
        Http(app.settings.network, max_connections=8) as http,
        access_finder(app, http, consent=Consent(allow_metered=True)) as finder,
    ):
        ready = await finder.find_all(choices)
    estimated = partial(estimate, recipe, ready.by_agent, {})
    return replace(plan_of(app, recipe.ensemble, ready), estimate=estimated)


async def default_access(app: App) -> AgentAccess | LlmOrcError:
    """Return what an agent that names no model would use now, or the error that a run would end with."""
    nameless = Ensemble("default", (AgentSpec("default"),))
    try:
        return (await explain_access(app, nameless)).agents[0]
    except LlmOrcError as e:
        return e
