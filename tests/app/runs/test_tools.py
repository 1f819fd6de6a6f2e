"""Agents that use the tools of this machine, in whole runs: what they get, and what nothing gets them to."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from llm_orc.app.approvals.desk import AskHere, Reply
from llm_orc.app.history.runs import delete_runs
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.projects.trust import trust_directory, view_trust
from llm_orc.app.runs.request import RunLimits, RunListener
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.app.tools.outlook import tool_outlook
from llm_orc.app.tools.permission import Rule
from llm_orc.app.wiring import open_app
from llm_orc.engine.events import ApprovalAsked
from llm_orc.errors import NotTrusted, SettingsError
from llm_orc.jsontypes import JsonValue
from llm_orc.protocols.chat_request import ChatRequest
from llm_orc.providers.parts import ToolCall
from llm_orc.runs.results import AgentResult
from llm_orc.sandbox.canned import Said
from llm_orc.sandbox.server import Sandbox
from llm_orc.settings.environment import ProcessEnvironment
from tests.app.conftest import Workspace, local, on_sandbox
from tests.fakes.loopback import Loopback, answer
from tests.mcp.test_stdio import ARGV

Call = tuple[str, Mapping[str, JsonValue]]


class Model:
    """Asks for these calls, one a turn or several at once, and then answers with what it was told last."""

    def __init__(self, *turns: Call | Sequence[Call]) -> None:
        self.turns = [[turn] if isinstance(turn, tuple) else [*turn] for turn in turns]
        self.told: list[str] = []

    def __call__(self, asked: ChatRequest) -> Said:
        done = sum(bool(message.calls) for message in asked.messages)
        self.told = [result.text for message in asked.messages for result in message.results]
        if done < len(self.turns):
            calls = self.turns[done]
            return Said(
                "", tuple(ToolCall(f"c{done}-{i}", name, dict(args)) for i, (name, args) in enumerate(calls))
            )
        return Said("done")


@asynccontextmanager
async def at_work(workspace: Workspace, model: Model, **settings: object) -> AsyncIterator[None]:
    async with Sandbox(compose=model) as sandbox:
        workspace.settings(on_sandbox(sandbox, **settings))
        yield


async def run(
    workspace: Workspace, *rules: Rule, ask: AskHere | None = None, name: str = "one"
) -> tuple[AgentResult, list[str]]:
    """Run the ensemble; return the result of its agent, and how each call ended."""
    app = workspace.app()
    options = RunOptions("the task", RunLimits(tools=rules))
    result = await run_ensemble(app, find_ensemble(app, name), options, RunListener(ask=ask))
    agent = result.agents[0]
    return agent, [used.outcome or "" for used in agent.tools]


def one(workspace: Workspace, *tools: str) -> None:
    workspace.ensemble("one", local("reader", tools=[*tools]))


async def test_an_agent_reads_files_of_the_project(workspace: Workspace) -> None:
    workspace.write("work/project/src/main.py", "import os\n")
    one(workspace, "files.read", "files.search")
    model = Model([("files_read", {"path": "src/main.py"}), ("files_search", {"pattern": "import"})])

    async with at_work(workspace, model):
        agent, outcomes = await run(workspace)

    assert outcomes == ["done", "done"]
    assert model.told == ["1\timport os", "src/main.py:1: import os"]
    assert agent.status == "completed"


async def test_one_run_uses_every_kind_of_tool(workspace: Workspace) -> None:
    server = Loopback()
    await server.start()
    server.answers(answer(b"the page", content_type="text/plain"))
    workspace.write("work/project/a.txt", "the file")
    one(workspace, "files.read", "web.fetch", "run.double", "mcp.fake.add")
    code = "import json, sys; print(json.load(sys.stdin)['n'] * 2)"
    double = {
        "description": "d",
        "parameters": {"n": "integer"},
        "command": [sys.executable, "-c", code],
        "reads_only": True,
    }
    model = Model(
        ("files_read", {"path": "a.txt"}),
        ("web_fetch", {"url": f"{server.url}/x"}),
        ("run_double", {"n": 21}),
        ("mcp_fake_add", {"a": 1, "b": 2}),
    )

    async with at_work(
        workspace,
        model,
        tools={"double": double},
        web={"private_hosts": [f"127.0.0.1:{server.port}"], "allowed_hosts": []},
        mcp_servers={"fake": {"command": [*ARGV]}},
        permissions={"mcp.fake.add": "allow"},
    ):
        agent, outcomes = await run(workspace)
    await server.stop()

    assert outcomes == ["done"] * 4, agent.tools
    assert model.told == ["1\tthe file", f"Address: {server.url}/x\n\nthe page", "42", "3"]


async def test_a_server_that_does_not_start_fails_its_agent_before_the_model_is_asked(
    workspace: Workspace,
) -> None:
    one(workspace, "mcp.fake.*")
    model = Model()

    async with at_work(workspace, model, mcp_servers={"fake": {"command": [*ARGV, "broken"]}}):
        agent, _ = await run(workspace)

    assert agent.error is not None
    assert agent.error.hint == "llm-orc mcp doctor fake"
    assert agent.calls == ()


async def test_a_tool_that_is_not_there_is_refused_before_anything_is_spent(workspace: Workspace) -> None:
    workspace.ensemble("one", local("first"), local("reader", depends_on=["first"], tools=["run.tset"]))
    model = Model()

    async with Sandbox(compose=model) as sandbox:
        workspace.settings(on_sandbox(sandbox, tools=deploy(workspace)["tools"]))
        with pytest.raises(SettingsError, match=r"agent `reader`: no tool is called `run\.tset`"):
            await run(workspace)

        assert sandbox.requests == []


def test_check_and_explain_know_what_would_happen_to_calls(workspace: Workspace) -> None:
    workspace.ensemble("two", local("other"))
    tools = ["files.read", "web.fetch", "run.deploy", "mcp.fake.*", "mcp.fake.add", "ensemble.two"]
    tools += ["mcp.other.x", "files.write"]
    one(workspace, *tools)
    workspace.settings(
        {
            "permissions": {"mcp.fake.add": f"allow:{'0' * 16}", "run.*": "deny"},
            "mcp_servers": {"fake": {"command": ["no-such-program"]}},
            **deploy(workspace),
        }
    )
    app = workspace.app()

    found = tool_outlook(app, find_ensemble(app, "one"))

    assert [(each.name, each.verdict) for each in found] == [
        ("files.read", "allow"),
        ("web.fetch", "ask"),
        ("run.deploy", "deny"),
        ("mcp.fake.*", "ask"),
        ("mcp.fake.add", "allow"),
        ("ensemble.two", "allow"),
        ("mcp.other.x", ""),
        ("files.write", ""),
    ]
    assert found[0].words == "allowed (by default)"
    assert found[2].words.startswith("denied (`run.*` in ")
    assert [str(each.problem) for each in found[6:]] == [
        "no MCP server is called `other`",
        "no tool is called `files.write`",
    ]


def test_a_home_directory_is_no_root_of_files(workspace: Workspace) -> None:
    one(workspace, "files.read")
    for place in (workspace.root, workspace.root.parent):
        app = open_app(ProcessEnvironment({"HOME": str(workspace.root)}, sys.platform, workspace.root, place))

        (found,) = tool_outlook(app, find_ensemble(app, "one"))

        assert "would show all of your home directory" in str(found.problem)


# Permission


def deploy(workspace: Workspace) -> dict[str, object]:
    """Return settings with a program that leaves a mark where it has run."""
    code = f"open({str(workspace.root / 'ran')!r}, 'a').write('x')"
    return {"tools": {"deploy": {"description": "d", "command": [sys.executable, "-c", code]}}}


def times_run(workspace: Workspace) -> int:
    mark = workspace.root / "ran"
    return len(mark.read_text()) if mark.exists() else 0


async def test_what_acts_is_refused_without_a_person_and_allowed_by_the_command(workspace: Workspace) -> None:
    one(workspace, "run.deploy")
    model = Model(("run_deploy", {}))

    async with at_work(workspace, model, **deploy(workspace)):
        _, refused = await run(workspace)
        assert times_run(workspace) == 0
        told = model.told
        _, allowed = await run(workspace, Rule("run.*", "allow", "--allow-tool"))
        _, denied = await run(
            workspace, Rule("*", "allow", "--allow-tool"), Rule("run.deploy", "deny", "--deny-tool")
        )

    assert (refused, allowed, denied) == (["refused"], ["done"], ["refused"])
    assert "nobody is here" in told[0]
    assert "`--allow-tool run.deploy`" in told[0]
    assert times_run(workspace) == 1


async def test_a_person_is_asked_with_the_arguments(workspace: Workspace) -> None:
    one(workspace, "run.deploy")
    model = Model(("run_deploy", {}), ("run_deploy", {}), ("run_deploy", {}))
    asked: list[ApprovalAsked] = []

    async def ask(question: ApprovalAsked) -> Reply:
        asked.append(question)
        return Reply(["Yes, this time", "No", "No"][len(asked) - 1])

    async with at_work(workspace, model, **deploy(workspace)):
        _, outcomes = await run(workspace, ask=ask)

    assert outcomes == ["done", "refused", "refused"]
    assert asked[0].agent == "reader"
    assert asked[0].message.startswith("May it call the tool run.deploy? By default,")
    assert asked[0].message.endswith("{}")
    assert times_run(workspace) == 1


async def test_always_is_kept_in_the_settings(workspace: Workspace) -> None:
    one(workspace, "run.deploy")
    model = Model(("run_deploy", {}), ("run_deploy", {}))

    async def ask(question: ApprovalAsked) -> Reply:
        return Reply(question.choices[1])

    async with at_work(workspace, model, **deploy(workspace)):
        await run(workspace, ask=ask)
        _, outcomes = await run(workspace)

    assert outcomes == ["done", "done"]
    assert times_run(workspace) == 4


async def test_an_untrusted_project_starts_nothing_and_is_allowed_nothing(workspace: Workspace) -> None:
    server = Loopback()
    await server.start()
    server.answers(answer(b"page", content_type="text/plain"))
    workspace.cloned("theirs", local("reader", tools=["run.deploy"]))
    workspace.cloned("fetches", local("reader", tools=["web.fetch"]))
    model = Model(("web_fetch", {"url": server.url}))
    allowed = {"permissions": {"*": "allow"}, "web": {"private_hosts": ["127.0.0.1"]}, **deploy(workspace)}

    async with at_work(workspace, model, **allowed):
        with pytest.raises(NotTrusted, match=r"would start the tool `run\.deploy`"):
            await run(workspace, name="theirs")
        _, refused = await run(workspace, name="fetches")
        app = workspace.app()
        trust_directory(app, workspace.project, view_trust(app, workspace.project))
        _, trusted = await run(workspace, name="fetches")
    await server.stop()

    assert (refused, trusted) == (["refused"], ["done"])
    assert len(server.heard) == 1
    assert times_run(workspace) == 0


# Injections: whatever a model asks for, nothing outside is reached

OUTSIDE: list[Call] = [
    ("files_read", {"path": path})
    for path in (
        "../secret.txt",
        "a/../../secret.txt",
        "./.././secret.txt",
        "..\\secret.txt",
        "%2e%2e/secret.txt",
        "..%2fsecret.txt",
        "{outside}",
        "file://{outside}",
        "~/secret.txt",
        "$HOME/secret.txt",
        "link/secret.txt",
        "secret-link",
        "/proc/self/environ",
        "/dev/stdin",
        "C:\\secret.txt",
        "\\\\?\\C:\\secret.txt",
        "secret.txt\0.md",
        ".env",
        ".ENV",
        ".git/config",
        "sub/.git/config",
        "own/config.yaml",
    )
]
_BEYOND: Sequence[tuple[str, Mapping[str, JsonValue]]] = (
    ("files_list", {}),
    ("files_list", {"glob": "**"}),
    ("files_search", {"pattern": "needle-7f3a"}),
    ("files_search", {"pattern": "needle.*", "regex": True}),
)
OUTSIDE += [
    (tool, {"path": path, **more})
    for tool, more in _BEYOND
    for path in ("..", "../", "/", "{outside}", "link", "link/..", ".git", "own")
]
ELSEWHERE: list[Call] = [
    ("web_fetch", {"url": url})
    for url in (
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::ffff:7f00:1]:{port}/",
        "http://2130706433:{port}/",
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "http://metadata.google.internal.:{port}/computeMetadata/v1/",
        "http://[fe80::a9fe:a9fe]/",
        "file://{outside}",
        "http://user@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}\\@example.com/",
    )
]
INVENTED: list[Call] = [
    (name, arguments)
    for name in (
        "run_deploy",
        "run.deploy",
        "bash",
        "Bash",
        "mcp_fake_add",
        "mcp.fake.add",
        "files_write",
        "files_read; run_deploy",
        "files_read\n",
        "../run_deploy",
        "__class__",
        "",
    )
    for arguments in ({}, {"path": "../secret.txt"}, {"command": "id"})
]


@pytest.mark.parametrize("kind", ["paths", "addresses", "names"])
async def test_no_injection_gets_through(workspace: Workspace, kind: str) -> None:
    server = Loopback()
    await server.start()
    server.answers(answer(b"needle-7f3a", content_type="text/plain"))
    outside = _project_with_traps(workspace)
    one(workspace, "files.read", "files.list", "files.search", "web.fetch")
    corpus = {"paths": OUTSIDE, "addresses": ELSEWHERE, "names": INVENTED}[kind]
    filled: list[Call] = [
        (
            tool,
            {
                key: value.replace("{outside}", str(outside)).replace("{port}", str(server.port))
                if isinstance(value, str)
                else value
                for key, value in arguments.items()
            },
        )
        for tool, arguments in corpus
    ]
    inside: Call = ("files_read", {"path": "a/inside.txt"})
    model = Model([inside, *filled])

    async with at_work(workspace, model, **deploy(workspace), mcp_servers={"fake": {"command": [*ARGV]}}):
        _, outcomes = await run(workspace, Rule("*", "allow", "--allow-tool"))
    await server.stop()

    assert (outcomes[0], model.told[0]) == ("done", "1\twhat may be read")
    assert len(outcomes) == len(filled) + 1
    assert not [text for text in model.told if "needle-7f3a" in text or "secret.txt\t" in text]
    assert server.heard == []
    assert times_run(workspace) == 0
    if kind == "names":
        assert set(outcomes[1:]) == {"refused"}


def _project_with_traps(workspace: Workspace) -> Path:
    outside = workspace.write("work/secret.txt", "needle-7f3a")
    workspace.write("secret.txt", "needle-7f3a")
    project = workspace.project
    (project / ".llm-orc").mkdir()
    for path in (".env", ".git/config", "sub/.git/config"):
        workspace.write(f"work/project/{path}", "needle-7f3a")
    (project / "link").symlink_to(project.parent)
    (project / "secret-link").symlink_to(outside)
    workspace.write(".config/llm-orc/needle.yaml", "# needle-7f3a\n")
    (project / "own").symlink_to(workspace.config)
    workspace.write("work/project/a/inside.txt", "what may be read")
    return outside


async def test_a_result_that_is_too_long_for_a_model_is_whole_in_a_private_file_until_the_run_is_deleted(
    workspace: Workspace,
) -> None:
    one(workspace, "run.long")
    code = "print('canary-begin' + 'x' * 90_000 + 'canary-end')"
    long = {"description": "d", "command": [sys.executable, "-c", code], "reads_only": True}
    model = Model(("run_long", {}))

    async with at_work(workspace, model, tools={"long": long}):
        agent, outcomes = await run(workspace)

    assert outcomes == ["done"]
    (told,) = model.told
    assert len(told) < 51_000
    assert "left out here" in told
    file = Path(agent.tools[0].spilled)
    assert str(file) not in told
    whole, modes = looked_at(file)
    assert (whole.startswith("canary-begin"), whole.rstrip().endswith("canary-end")) == (True, True)
    assert modes == (0o600, 0o700)

    delete_runs(workspace.app(), ["last"])
    assert looked_at(file) == ("", (0, 0))


def looked_at(file: Path) -> tuple[str, tuple[int, int]]:
    """Return what it has, and the modes of the file and its folder; nothing of one that is gone."""
    if not file.exists():
        return "", (0, 0)
    return file.read_text(), (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777)
