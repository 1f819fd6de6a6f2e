"""An app in folders of its own, with the sandbox as its providers."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from llm_orc.app.access.consent import Consent
from llm_orc.app.access.models import AccessPlan
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.request import RunLimits, RunListener
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.app.runs.runtime import Runtime
from llm_orc.app.wiring import App, open_app
from llm_orc.engine.events import RunEvent
from llm_orc.runs.results import RunResult
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from llm_orc.settings.environment import ProcessEnvironment

if TYPE_CHECKING:
    from tests.fakes.access_place import Place

KEY = "sk-canary-5512"


@dataclass
class Workspace:
    """A home, a project directory in it, and the environment of a process that works there."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)
    is_attended: bool = False  # a person is at its terminal

    @property
    def project(self) -> Path:
        return self.root / "work" / "project"

    @property
    def config(self) -> Path:
        return self.root / ".config" / "llm-orc"

    def write(self, path: str, content: Mapping[str, object] | str) -> Path:
        """Write YAML to `path`, relative to the home."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else yaml.safe_dump(dict(content)), encoding="utf-8")
        return file

    def ensemble(self, name: str, *agents: Mapping[str, object], **more: object) -> None:
        """Put an ensemble among the user's own."""
        self.write(f".config/llm-orc/ensembles/{name}.yaml", {"name": name, "agents": list(agents), **more})

    def cloned(self, name: str, *agents: Mapping[str, object], **more: object) -> Path:
        """Put an ensemble into the project, which nobody trusts yet."""
        document = {"name": name, "agents": list(agents), **more}
        return self.write(f"work/project/.llm-orc/ensembles/{name}.yaml", document)

    def settings(self, content: Mapping[str, object]) -> None:
        """Write the user's own configuration."""
        self.write(".config/llm-orc/config.yaml", content)

    def app(self) -> App:
        self.project.mkdir(parents=True, exist_ok=True)
        return open_app(
            ProcessEnvironment(
                {"HOME": str(self.root), **self.environ}, sys.platform, self.root, self.project, self.is_attended
            )
        )

    def process_environ(self) -> dict[str, str]:
        """The environment for a real process in this workspace."""
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        home = str(self.root)
        return {**kept, "LANG": "C.UTF-8", "HOME": home, "USERPROFILE": home, **self.environ}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "user")
    workspace.project.mkdir(parents=True)
    return workspace


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def place(workspace: Workspace) -> AsyncIterator[Place]:
    """A workspace without any official CLI, whose providers and sign-in server are the sandbox."""
    from tests.fakes.access_place import Place

    server = OAuthServer()
    async with Sandbox(oauth=server) as sandbox:
        workspace.environ = {"PATH": "/nowhere"}
        yield Place(workspace, sandbox, server)


def on_sandbox(sandbox: Sandbox, **more: object) -> dict[str, object]:
    """Settings that send local servers and the metered providers to the sandbox."""
    return {
        "providers": {
            "openai-compatible": {"base_url": sandbox.base_url("openai-chat")},
            "anthropic-api": {"base_url": sandbox.base_url("anthropic")},
            "openai": {"base_url": sandbox.base_url("openai-responses")},
            "google-gemini": {"base_url": sandbox.base_url("gemini")},
            # A port where nobody listens, so that no real server of the machine is found.
            "ollama": {"base_url": "http://127.0.0.1:9/v1"},
        },
        **more,
    }


def local(name: str, **more: object) -> dict[str, object]:
    """An agent on the local server."""
    return {
        "name": name,
        "provider": "openai-compatible",
        "model": "m",
        "system_prompt": f"You are {name}.",
        **more,
    }


@dataclass
class Seen:
    """What a run showed."""

    events: list[RunEvent] = field(default_factory=list)
    plans: list[AccessPlan] = field(default_factory=list)


async def run(app: App, name: str, task: str = "the task", **options: object) -> tuple[RunResult, Seen]:
    return await run_on(app, name, task, None, **options)


async def run_on(
    app: App, name: str, task: str, runtime: Runtime | None, **options: object
) -> tuple[RunResult, Seen]:
    """Run on a runtime that others share; None: on one of its own. `options` are those of a run, and its limits."""
    seen = Seen()
    listener = RunListener(seen.events.append, seen.plans.append, stream=bool(options.pop("stream", False)))
    limits, consent = limits_among(options), Consent(bool(options.pop("allow_metered", False)))
    asked = RunOptions(task, limits, consent, **options)  # type: ignore[arg-type]
    return await run_ensemble(app, find_ensemble(app, name), asked, listener, runtime=runtime), seen


def limits_among(options: dict[str, object]) -> RunLimits:
    """Take the limits out of `options`."""
    names = [one.name for one in fields(RunLimits) if one.name in options]
    return RunLimits(**{name: options.pop(name) for name in names})  # type: ignore[arg-type]
