"""The packaged panel on the best access there is, or, with none, on the sandbox, which says so."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.choice import DEFAULT_PROFILE
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.errors import MeteredNotAllowed, NotLoggedIn, NotTrusted
from llm_orc.settings.model import ModelProfile, Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.app.access.consent import Paying
    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.wiring import App
    from llm_orc.engine.events import RunEvent
    from llm_orc.runs.state import RunResult

DEMO_ENSEMBLE = "multi-role-test"


async def run_demo(
    app: App,
    *,
    show: Callable[[RunEvent], None],
    planned: Callable[[AccessPlan], None] = lambda _plan: None,
    stream: bool = False,
    allow_metered: bool = False,
) -> RunResult:
    """Run the demo. A metered call is made only with `allow_metered`, whatever was agreed to otherwise; where
    nothing else is there, the answers are canned, and the result's `sandbox` tells.
    """
    ensemble = app.library.packaged(DEMO_ENSEMBLE)
    options = RunOptions(task=ensemble.default_task or "", allow_metered=allow_metered, stream=stream)
    for here in (app, _without_default(app)):
        with suppress(NotLoggedIn, MeteredNotAllowed, NotTrusted):
            paying: Paying = "always" if allow_metered else "never"
            asked = replace(options, paying=paying)
            return await run_ensemble(here, ensemble, asked, show=show, planned=planned)
    rehearsal = RunOptions(task=options.task, rehearse=True, stream=stream)
    return await run_ensemble(app, ensemble, rehearsal, show=show, planned=planned)


def _without_default(app: App) -> App:
    """The same without what the profile `default` names: where that costs money, something else may be free."""
    unnamed = ModelProfile(DEFAULT_PROFILE, Origin("packaged"))
    profiles = {**app.settings.profiles, DEFAULT_PROFILE: unnamed}
    return replace(app, settings=replace(app.settings, profiles=profiles))
