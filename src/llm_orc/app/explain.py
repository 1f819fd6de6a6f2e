"""Explain an ensemble's access: for every agent what a run would use, why, and what else was looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.choices import choices_of
from llm_orc.app.find_access import access_finder
from llm_orc.net.http import Http

if TYPE_CHECKING:
    from llm_orc.app.access import AccessPlan
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble


async def explain_access(app: App, ensemble: Ensemble, *, allow_metered: bool = False) -> AccessPlan:
    """Decide as a run would; nothing is sent to a provider. Raises what a run would raise before it starts."""
    async with (
        Http(app.settings.network, max_connections=8) as http,
        access_finder(app, http, allow_metered=allow_metered) as finder,
    ):
        return (await finder.find_all(choices_of(ensemble, app.settings))).plan
