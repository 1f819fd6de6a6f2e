"""A clone on a machine of its user's, and a stand-in for an official CLI."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import KEY, Workspace, on_sandbox
from tests.app.projects.clones import PAID, PLAN
from tests.fakes.claude import StandIn, install


@pytest.fixture
def claude(tmp_path: Path) -> StandIn:
    return install(tmp_path / "stand-in")


@pytest.fixture
def clone(workspace: Workspace, sandbox: Sandbox) -> Workspace:
    """A machine with a local server, a key in the environment, and profiles of its user's: free, paid, and a plan."""
    profiles = {
        "free": {"provider": "openai-compatible", "model": "m"},
        "paid": PAID,
        "chain": {"provider": "openai-compatible", "model": "m", "fallback_model_profile": "paid"},
        "plan": {"provider": PLAN},
    }
    workspace.settings(on_sandbox(sandbox, model_profiles=profiles))
    workspace.environ = {"ANTHROPIC_API_KEY": KEY}
    return workspace
