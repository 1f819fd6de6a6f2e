"""Any role on any access: what each agent of `multi-role-test` was told, as it came over the wire."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_orc.agents.kinds import needs_of
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.conversation import ConversationOptions
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.request_log import ReceivedRequest
from llm_orc.sandbox.server import Sandbox
from tests.app.access.test_stored_access import CLAUDE_CODE, PRO_MAX, sign_in
from tests.app.conftest import KEY, Workspace, on_sandbox, run
from tests.fakes import claude as claude_stand_in
from tests.fakes import codex as codex_stand_in

FIRST, SECOND = "Worth a seed round?", "And if they grow by half?"
SPECIALISTS = ("financial-analyst", "marketing-strategist", "legal-advisor")

# The role of an agent, as its model knows it, and the texts that it was told in that role, oldest first.
Told = dict[str, list[list[str]]]


class Route(ABC):
    """A way in: how a machine has it, and what its models were told."""

    def __init__(self, folder: Path, sandbox: Sandbox, server: OAuthServer) -> None:
        self.folder, self.sandbox, self.server = folder, sandbox, server

    @abstractmethod
    def set_up(self, workspace: Workspace) -> None: ...

    def told(self) -> Told:
        found: Told = defaultdict(list)
        for request in self.sandbox.requests:
            role, texts = self.role_and_texts(request)
            found[role].append(texts)
        return found

    def role_and_texts(self, request: ReceivedRequest) -> tuple[str, list[str]]:
        return request.system_prompt or "", [m.content for m in request.messages]

    def use(self, workspace: Workspace, provider: str, **environ: str) -> None:
        settings = on_sandbox(self.sandbox, model_profiles={"default": {"provider": provider, "model": "m"}})
        settings["providers"]["ollama"] = {"base_url": self.sandbox.base_url("openai-chat")}  # type: ignore[index]
        workspace.settings(settings)
        workspace.environ = {"PATH": os.environ["PATH"], **environ}


class AnthropicKey(Route):
    def set_up(self, workspace: Workspace) -> None:
        self.use(workspace, "anthropic-api", ANTHROPIC_API_KEY=KEY)


class OpenAIKey(Route):
    def set_up(self, workspace: Workspace) -> None:
        self.use(workspace, "openai", OPENAI_API_KEY=KEY)


class GeminiKey(Route):
    def set_up(self, workspace: Workspace) -> None:
        self.use(workspace, "google-gemini", GEMINI_API_KEY=KEY)


class CompatibleServer(Route):
    def set_up(self, workspace: Workspace) -> None:
        self.use(workspace, "openai-compatible")


class Ollama(Route):
    def set_up(self, workspace: Workspace) -> None:
        self.use(workspace, "ollama")


class SignedIn(Route):
    """The access fixes the system prompt: the role is agreed on in the first two turns."""

    def set_up(self, workspace: Workspace) -> None:
        sign_in(workspace, self.sandbox, self.server)
        file = workspace.config / "config.yaml"
        profile = f"model_profiles: {{default: {{provider: {PRO_MAX}, model: m, auth_method: oauth}}}}\n"
        file.write_text(file.read_text() + profile)

    def role_and_texts(self, request: ReceivedRequest) -> tuple[str, list[str]]:
        agreed, understood, *turns = request.messages
        assert request.system_prompt == CLAUDE_CODE
        assert understood.content == "Understood. I'll act in that role for our conversation."
        role = agreed.content.removeprefix("For this conversation, please act as: ")
        assert not any("please act as" in turn.content for turn in turns)
        return role, [turn.content for turn in turns]


class ClaudeCommand(Route):
    def set_up(self, workspace: Workspace) -> None:
        self.claude = claude_stand_in.install(self.folder)
        self.use(workspace, "claude-cli", ANTHROPIC_API_KEY=KEY)
        workspace.environ["PATH"] = self.claude.path

    def told(self) -> Told:
        found: Told = defaultdict(list)
        role_of = {start["pid"]: start["system_prompt"] for start in self.claude.starts}
        for turn in self.claude.seen:
            if "prompt" in turn:
                found[role_of[turn["pid"]]].append(list(turns_in(turn["prompt"])))
        return found


class CodexCommand(Route):
    def set_up(self, workspace: Workspace) -> None:
        codex_stand_in.install(self.folder)
        self.use(workspace, "codex-cli", OPENAI_API_KEY=KEY)
        workspace.environ["PATH"] = f"{self.folder / 'bin'}"

    def told(self) -> Told:
        found: Told = defaultdict(list)
        for call in codex_stand_in.calls(self.folder):
            found[call["role"]].append(list(turns_in(call["prompt"])))
        return found


def turns_in(prompt: str) -> Iterator[str]:
    """Take a conversation that is told in one prompt apart again, by the mark that its first line names."""
    if not prompt.startswith("This goes on with a conversation."):
        yield prompt
        return
    mark = prompt.partition("[")[2].partition(" ")[0]
    for part in prompt.split(f"\n[{mark} ")[1:]:
        who, _, text = part.partition("]\n")
        if who in ("user", "you"):
            yield text.partition("\nNow answer the next turn")[0]


@pytest.fixture(
    params=[AnthropicKey, OpenAIKey, GeminiKey, CompatibleServer, Ollama, SignedIn, ClaudeCommand, CodexCommand],
    ids=lambda way: way.__name__,
)
async def way(request: pytest.FixtureRequest, tmp_path: Path) -> Route:  # type: ignore[misc]
    server = OAuthServer()
    is_signed_in = request.param is SignedIn
    async with Sandbox(
        oauth=server, require_token=is_signed_in, compose=lambda a: f"to {a.prompt[-30:]}"
    ) as sandbox:
        yield request.param(tmp_path / "way", sandbox, server)


def roles_of(ensemble: Ensemble) -> dict[str, str]:
    return {a.name: work.system_prompt or "" for a in ensemble.agents for work in needs_of(a.work).models}


async def test_the_same_ensemble_gives_the_same_roles(workspace: Workspace, way: Route) -> None:
    way.set_up(workspace)
    roles = roles_of(find_ensemble(workspace.app(), "multi-role-test"))

    result, _ = await run(workspace.app(), "multi-role-test", FIRST)

    assert result.status == "completed", [a.error for a in result.agents]
    told = way.told()
    assert set(told) == set(roles.values())
    for agent in SPECIALISTS:
        assert told[roles[agent]] == [[FIRST]]
    [[chairs_prompt]] = told[roles["chair"]]
    for agent in SPECIALISTS:
        answer = result[agent].response
        assert answer is not None
        assert answer in chairs_prompt


async def test_roles_and_turns_last_over_a_restart(workspace: Workspace, way: Route) -> None:
    way.set_up(workspace)
    roles = roles_of(find_ensemble(workspace.app(), "multi-role-test"))
    board = ConversationOptions("board")

    first, _ = await run(workspace.app(), "multi-role-test", FIRST, conversation=board)
    second, _ = await run(workspace.app(), "multi-role-test", SECOND, conversation=board)

    assert (first.status, second.status) == ("completed", "completed")
    told = way.told()
    assert set(told) == set(roles.values())
    for agent in SPECIALISTS:
        assert told[roles[agent]] == [[FIRST], [FIRST, first[agent].response, SECOND]]
    assert [len(texts) for texts in told[roles["chair"]]] == [1, 3]
