"""A server on loopback in front of a workspace, whose providers are the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest

from llm_orc.app.access.consent import Consent, unattended
from llm_orc.app.runs.runtime import Runtime
from llm_orc.app.serving.offers import Offers
from llm_orc.app.serving.served import Served, ServeTerms
from llm_orc.app.wiring import App
from llm_orc.sandbox.server import Sandbox
from llm_orc.server.http_server import HttpServer, Listening
from llm_orc.server.openai.door import OpenAiDoor
from llm_orc.server.openai.errors import refused
from tests.app.conftest import Workspace, local, on_sandbox, sandbox, workspace

__all__ = ["sandbox", "workspace"]


@dataclass
class Place:
    """Where a server is: the workspace, the providers, and what the server has written to its log."""

    workspace: Workspace
    sandbox: Sandbox
    origin: str
    app: App
    client: aiohttp.ClientSession
    log: list[str] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"


Serve = Callable[..., AbstractAsyncContextManager[Place]]


@pytest.fixture
def serve(workspace: Workspace, sandbox: Sandbox) -> Serve:
    """A server of the workspace as it is when it is entered; `listening` and `names` are its own."""

    @asynccontextmanager
    async def serving(
        listening: Listening | None = None,
        *names: str,
        terms: ServeTerms | None = None,
        keep_alive_s: float = 15,
    ) -> AsyncIterator[Place]:
        app = unattended(workspace.app())
        log: list[str] = []
        async with Runtime(app) as runtime, aiohttp.ClientSession() as client:
            served = Served(runtime, terms or ServeTerms(Consent()))
            door = OpenAiDoor(Offers(app, names), served, app.clock.now, keep_alive_s=keep_alive_s)
            async with HttpServer([door], listening or Listening(grace_s=1), refused, log.append) as server:
                yield Place(workspace, sandbox, server.origin, app, client, log)

    return serving


@pytest.fixture
async def place(workspace: Workspace, sandbox: Sandbox, serve: Serve) -> AsyncIterator[Place]:
    """A server of an ensemble of three agents, of which `writer` answers, and of a profile."""
    workspace.settings(
        on_sandbox(sandbox, model_profiles={"plain": {"provider": "openai-compatible", "model": "m"}})
    )
    workspace.ensemble(
        "panel",
        local("one"),
        local("two"),
        local("writer", depends_on=["one", "two"]),
        description="Two and a writer",
    )
    async with serve() as found:
        yield found
