"""The packaged panel on the best access there is, or, with none, on the sandbox, which says so."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.choice import DEFAULT_PROFILE
from llm_orc.app.access.consent import Consent
from llm_orc.app.runs.request import RunListener
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.errors import MeteredNotAllowed, NotLoggedIn, NotTrusted
from llm_orc.settings.model import ModelProfile, Origin

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.runs.results import RunResult

DEMO_ENSEMBLE = "multi-role-test"


async def run_demo(app: App, listener: RunListener = RunListener(), *, allow_metered: bool = False) -> RunResult:
    """Run the demo. A metered call is made only with `allow_metered`, whatever was agreed to otherwise; where
    nothing else is there, the answers are canned, and the result's `sandbox` tells.
    """
    ensemble = app.library.packaged(DEMO_ENSEMBLE)
    options = RunOptions(ensemble.default_task or "", consent=Consent(allow_metered, free_only=True))
    for here in (app, _without_default(app)):
        with suppress(NotLoggedIn, MeteredNotAllowed, NotTrusted):
            return await run_ensemble(here, ensemble, options, listener)
    return await run_ensemble(app, ensemble, RunOptions(options.task, rehearse=True), listener)


def _without_default(app: App) -> App:
    """The same without what the profile `default` names: where that costs money, something else may be free."""
    unnamed = ModelProfile(DEFAULT_PROFILE, Origin("packaged"))
    profiles = {**app.settings.profiles, DEFAULT_PROFILE: unnamed}
    return replace(app, settings=replace(app.settings, profiles=profiles))
