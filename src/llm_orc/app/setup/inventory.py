"""What access this machine has: everything that an agent without a model of its own could use, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.access.best import BestAccess
from llm_orc.app.access.credentials import open_resolver
from llm_orc.app.access.discovery import find_local, find_unnamed_servers
from llm_orc.app.access.route import Route
from llm_orc.dataclass import dataclass
from llm_orc.net.http import Http
from llm_orc.providers.official_cli.official import OfficialClis
from llm_orc.settings.model import ModelProfile
from llm_orc.settings.profiles import default_profile

if TYPE_CHECKING:
    from llm_orc.app.wiring import App


@dataclass(frozen=True, slots=True)
class Inventory:
    """`found` is in the order in which the profile `default` would take it; `default` is that profile as it is.

    `nameless` can be chosen with the name of a model, since its provider has none that is the default. What has a
    `base_url` in its choice was found where no setting says so: it can be chosen, and no run takes it by itself.
    """

    found: tuple[Route, ...]
    default: ModelProfile
    nameless: tuple[Route, ...] = ()

    @property
    def every(self) -> tuple[Route, ...]:
        return (*self.found, *self.nameless)


async def inventory(app: App) -> Inventory:
    """Ask local servers and official CLIs, and look at the environment. Nobody else is asked; it costs nothing."""
    async with (
        Http(app.settings.network, max_connections=8) as http,
        OfficialClis(app.environment.environ) as clis,
    ):
        local = await find_local(app.settings, http)
        servers = await find_unnamed_servers(app.settings, http)
        others = await BestAccess(app, http, open_resolver(app), clis.look, paying="plan").beyond_local()
    named = [found for found in others if found.model is not None or found.cli is not None]
    before = [found for found in named if found.is_set_up]
    after = [found for found in named if not found.is_set_up]
    found = (*local, *before, *servers, *after)
    nameless = tuple(found for found in others if found not in named)
    return Inventory(found, default_profile(app.settings), nameless)
