"""What the tests of clones share: a paid model, trust, and a refusal that all views agree on."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_orc.app.access.explain import explain_access
from llm_orc.app.diagnostics.check import check_ensemble
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.projects.trust import trust_directory, view_trust
from llm_orc.errors import LlmOrcError
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import KEY, Workspace, on_sandbox, run

PLAN = "anthropic-claude-pro-max"
CONFIG = "work/project/.llm-orc/config.yaml"
PAID: dict[str, object] = {"provider": "anthropic-api", "model": "claude-haiku-4-5"}


def without_local_server(workspace: Workspace, sandbox: Sandbox, **more: object) -> None:
    settings = on_sandbox(sandbox, **more)
    del settings["providers"]["openai-compatible"]  # type: ignore[attr-defined]
    workspace.settings(settings)


def trust(workspace: Workspace, place: Path | None = None) -> None:
    app = workspace.app()
    trust_directory(app, place or workspace.project, view_trust(app, place or workspace.project))


async def refused(workspace: Workspace, sandbox: Sandbox, name: str = "one") -> LlmOrcError:
    """Run and explain, expect the same refusal of both before anything was sent, and return it."""
    before = sandbox.request_count
    with pytest.raises(LlmOrcError) as caught:
        await run(workspace.app(), name)
    with pytest.raises(type(caught.value)) as explained:
        await explain_access(workspace.app(), find_ensemble(workspace.app(), name))
    report = await check_ensemble(workspace.app(), name)
    assert explained.value.message == caught.value.message
    assert report.access_error is not None
    assert report.access_error.message == caught.value.message
    assert sandbox.request_count == before
    assert caught.value.exit_code == 4
    assert KEY not in str(caught.value) + str(caught.value.hint)
    return caught.value


def on_sandbox_again(workspace: Workspace) -> dict[str, dict[str, object]]:
    import yaml

    loaded: dict[str, dict[str, object]] = yaml.safe_load((workspace.config / "config.yaml").read_text())
    return loaded
