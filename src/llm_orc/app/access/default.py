"""What an agent that names no model would use now: decided as a run decides it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.spec import AgentSpec
from llm_orc.app.access.explain import explain_access
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import LlmOrcError

if TYPE_CHECKING:
    from llm_orc.app.access.ready import AgentAccess
    from llm_orc.app.wiring import App


async def default_access(app: App) -> AgentAccess | LlmOrcError:
    """Return the access, or the error with which a run would end before it begins."""
    nameless = Ensemble("default", (AgentSpec("default"),))
    try:
        return (await explain_access(app, nameless)).agents[0]
    except LlmOrcError as e:
        return e
