"""The tools of a run: which there are, when somebody is asked, and that everything ends with the run."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import yaml

from llm_orc.agents.path import AgentPath
from llm_orc.agents.tools.tool import Tool
from llm_orc.app.tools.permission import Layers, rules_of
from llm_orc.app.tools.toolbox import Consent, Toolbox, ToolQuestion
from llm_orc.errors import LlmOrcError, NotTrusted, SettingsError, ToolServerFailed
from tests.agents.tool_sources.uses import a_use, called_tool
from tests.app.conftest import Workspace
from tests.mcp.test_stdio import ARGV
from tests.processes.test_death import ends

AGENT = AgentPath("reader")
Open = Callable[..., AbstractAsyncContextManager[Toolbox]]


class Person:
    """Answers questions about calls as told, and remembers them."""

    def __init__(self, *answers: Consent) -> None:
        self.answers, self.asked = [*answers], list[ToolQuestion]()

    async def __call__(self, question: ToolQuestion) -> Consent:
        self.asked.append(question)
        await asyncio.sleep(0)
        return self.answers.pop(0)


@pytest.fixture
def tools(workspace: Workspace) -> Open:
    @asynccontextmanager
    async def opened(person: Person | None = None) -> AsyncIterator[Toolbox]:
        app = workspace.app()
        async with Toolbox(app, Layers(settings=rules_of(app.settings.permissions)), person) as box:
            yield box

    return opened


async def named(box: Toolbox, *names: str) -> list[str]:
    return [tool.name for tool in await box.offered(AGENT, names)]


async def one(box: Toolbox, name: str) -> Tool:
    (tool,) = await box.offered(AGENT, [name])
    return tool


def program(code: str, **more: object) -> dict[str, object]:
    return {"description": "Does it.", "command": [sys.executable, "-c", code], **more}


async def test_offers_the_tools_that_are_named_in_their_order_and_once(workspace: Workspace, tools: Open) -> None:
    workspace.settings({"tools": {"t": program("")}, "mcp_servers": {"fake": {"command": [*ARGV]}}})

    async with tools() as box:
        found = await named(box, "run.t", "mcp.fake.echo", "files.read", "mcp.fake.*", "web.fetch")

    assert found == ["run.t", "mcp.fake.echo", "files.read", "mcp.fake.add", "mcp.fake.fail", "web.fetch"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("files.raed", "files.read"),
        ("file.read", "files.read"),
        ("web.post", "web.fetch"),
        ("run.tset", "run.test"),
        ("mcp.fake.eco", "echo"),
        ("mcp.fkae.echo", "fake"),
        ("Read", "Tools are"),
        ("files.", "files.read"),
        ("files.../etc/passwd", "files.read"),
        ("run.test; rm -rf /", "run.test"),
        ("mcp..", "Configure it"),
    ],
)
async def test_a_name_that_means_nothing_is_an_error_with_the_nearest(
    workspace: Workspace, tools: Open, name: str, hint: str
) -> None:
    workspace.settings({"tools": {"test": program("")}, "mcp_servers": {"fake": {"command": [*ARGV]}}})

    async with tools() as box:
        with pytest.raises(SettingsError) as raised:
            await box.offered(AGENT, [name])

    assert hint in (raised.value.hint or "")


async def test_the_root_of_files_is_the_projects_and_ours_stay_closed(workspace: Workspace, tools: Open) -> None:
    (workspace.project / ".llm-orc").mkdir()
    workspace.write("work/project/a.txt", "here")
    workspace.settings({})

    async with tools() as box:
        read = await one(box, "files.read")
        found = await called_tool(read, path="a.txt")
    workspace.project.joinpath(".llm-orc").rmdir()
    workspace.project.joinpath("a.txt").unlink()

    assert found.text == "1\there"


# Programs


async def test_a_program_gets_its_arguments_on_standard_input_and_nothing_of_ours(
    workspace: Workspace, tools: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-1234567890")
    code = "import sys, os, json; print(json.dumps([sys.argv[1:], json.load(sys.stdin), sorted(os.environ)]))"
    workspace.settings({"tools": {"t": program(code, parameters={"words": "string", "count?": "integer"})}})

    async with tools() as box:
        tool = await one(box, "run.t")
        result = await called_tool(tool, words="$(id); --help", count=2)

    argv, told, environ = json.loads(result.text)
    assert (argv, told) == ([], {"words": "$(id); --help", "count": 2})
    assert "OPENAI_API_KEY" not in environ
    assert tool.parameters["required"] == ["words"]
    assert (tool.acts, tool.is_idempotent) == (True, False)


@pytest.mark.parametrize(
    ("code", "more", "words"),
    [
        ("import sys; print('half'); sys.exit('no disk')", {}, "ended with exit code 1: no disk\nhalf"),
        ("import time; time.sleep(60)", {"timeout_seconds": 0.3}, "it took longer than 0.3 s"),
        ("import os; os.kill(os.getpid(), 9)", {}, "was ended by signal 9"),
    ],
)
async def test_a_program_that_fails_is_a_result(
    workspace: Workspace, tools: Open, code: str, more: dict[str, object], words: str
) -> None:
    workspace.settings({"tools": {"t": program(code, **more)}})

    async with tools() as box:
        result = await called_tool(await one(box, "run.t"))

    assert result.is_error
    assert words in result.text


async def test_a_program_that_is_not_there_is_a_result(workspace: Workspace, tools: Open) -> None:
    workspace.settings({"tools": {"t": {"description": "d", "command": ["no-such-program"]}}})

    async with tools() as box:
        result = await called_tool(await one(box, "run.t"))

    assert result.is_error
    assert "needs the program `no-such-program`, which is not there" in result.text


async def test_what_a_program_started_ends_with_its_call(workspace: Workspace, tools: Open) -> None:
    code = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
        " stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); print(p.pid)"
    )
    workspace.settings({"tools": {"t": program(code)}})

    async with tools() as box:
        result = await called_tool(await one(box, "run.t"))

    assert ends(int(result.text))


async def test_credentials_are_masked_in_results(
    workspace: Workspace, tools: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "tok-8d6f0b1f9a5c")
    code = "import os; print('the token is', os.environ['SERVICE_TOKEN'])"
    workspace.settings({"tools": {"t": program(code, env={"SERVICE_TOKEN": None})}})

    async with tools() as box:
        result = await called_tool(await one(box, "run.t"))

    assert result.text == "the token is [credential]"


async def test_a_program_of_a_project_that_nobody_trusts_is_no_tool(workspace: Workspace, tools: Open) -> None:
    workspace.write("work/project/.llm-orc/config.yaml", {"tools": {"t": program("print('ran')")}})

    async with tools() as box:
        with pytest.raises(NotTrusted, match=r"`run\.t` is a program of a project that you have not trusted"):
            await box.offered(AGENT, ["run.t"])


# Servers


async def test_a_server_starts_once_for_all_agents_and_ends_with_the_run(
    workspace: Workspace, tools: Open
) -> None:
    workspace.settings({"mcp_servers": {"fake": {"command": [*ARGV, "spawning"]}}})

    async with tools() as box:
        first, second = await asyncio.gather(
            box.offered(AgentPath("a"), ["mcp.fake.*"]), box.offered(AgentPath("b"), ["mcp.fake.add"])
        )
        echo = next(tool for tool in first if tool.name == "mcp.fake.echo")
        said = list[str]()
        result = await echo.call(a_use(progress=said.append), {"x": 1})
        total = await called_tool(second[0], a=1, b=2)
        pids = _children()

    assert result.text == '{"x": 1}\n(left out, because it is no text: image image/png)'
    assert said == ["1 of 2 half"]
    assert (total.text, total.data) == ("3", {"total": 3})
    assert (second[0].acts, second[0].sends, second[0].is_idempotent) == (False, True, True)
    assert len(pids) == 1
    assert all(map(ends, pids))


def _children() -> list[int]:
    """Return the servers of the fake that this process has started."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = place.read_text().rpartition(")")[2].split()
            argv = place.with_name("cmdline").read_text()
        except OSError:
            continue
        if "mcp_server.py\0spawning" in argv and int(words[1]) == os.getpid():
            found.append(int(place.parent.name))
    return found


async def test_a_server_that_fails_is_the_failure_of_the_agent_that_named_it(
    workspace: Workspace, tools: Open
) -> None:
    workspace.settings({"mcp_servers": {"fake": {"command": [*ARGV, "broken"]}}})

    async with tools() as box:
        with pytest.raises(ToolServerFailed) as raised:
            await box.offered(AGENT, ["mcp.fake.*"])
        assert await named(box, "files.read") == ["files.read"]

    assert raised.value.hint == "llm-orc mcp doctor fake"


# Permission


async def asked(box: Toolbox, name: str, **arguments: object) -> str | None:
    return await box.refusal(a_use(), await one(box, name), arguments)  # type: ignore[arg-type]


async def test_what_only_reads_here_is_called_without_asking(workspace: Workspace, tools: Open) -> None:
    workspace.settings({"tools": {"look": program("", reads_only=True)}, "web": {"allowed_hosts": ["a.example"]}})

    async with tools() as box:
        for name in ("files.read", "files.search", "run.look", "web.fetch"):
            assert await asked(box, name) is None


@pytest.mark.parametrize("name", ["run.t", "web.fetch", "mcp.fake.add"])
async def test_without_a_person_the_refusal_names_the_setting(
    workspace: Workspace, tools: Open, name: str
) -> None:
    workspace.settings({"tools": {"t": program("")}, "mcp_servers": {"fake": {"command": [*ARGV]}}})

    async with tools() as box:
        refusal = await asked(box, name)

    assert refusal is not None
    assert f"`permissions: {{{name}: allow}}`" in refusal
    assert f"`--allow-tool {name}`" in refusal


async def test_a_person_is_asked_each_time_until_they_say_always(workspace: Workspace, tools: Open) -> None:
    workspace.settings({"mcp_servers": {"fake": {"command": [*ARGV]}}, "runs": {"max_calls": 9}})
    person = Person("once", "no", "always")

    async with tools(person) as box:
        answers = [await asked(box, "mcp.fake.echo", x=number) for number in range(3)]
        beside = await asyncio.gather(*(asked(box, "mcp.fake.echo") for _ in range(3)))

    assert answers == [
        None,
        "A person was asked whether `mcp.fake.echo` may be called with these arguments: no.",
        None,
    ]
    assert beside == [None, None, None]
    assert [question.arguments for question in person.asked] == [{"x": 0}, {"x": 1}, {"x": 2}]
    assert person.asked[0].why.startswith("By default")
    kept = yaml.safe_load((workspace.config / "config.yaml").read_text())
    assert kept["runs"] == {"max_calls": 9}
    assert list(kept["permissions"]) == ["mcp.fake.echo"]

    async with tools() as box:
        assert await asked(box, "mcp.fake.echo") is None
        assert await asked(box, "mcp.fake.add") is not None


async def test_a_changed_definition_is_asked_about_again(workspace: Workspace, tools: Open) -> None:
    workspace.settings(
        {"mcp_servers": {"fake": {"command": [*ARGV]}}, "permissions": {"mcp.fake.echo": f"allow:{'0' * 16}"}}
    )
    person = Person("no")

    async with tools(person) as box:
        await asked(box, "mcp.fake.echo")

    assert "Its definition has changed since it was allowed" in person.asked[0].why
    assert "config.yaml:" in person.asked[0].why


async def test_denied_tools_of_a_pattern_are_not_offered_and_a_denied_name_is_refused(
    workspace: Workspace, tools: Open
) -> None:
    workspace.settings(
        {"mcp_servers": {"fake": {"command": [*ARGV]}}, "permissions": {"mcp.fake.e*": "deny", "mcp.*": "allow"}}
    )

    async with tools() as box:
        assert await named(box, "mcp.fake.*") == ["mcp.fake.add", "mcp.fake.fail"]
        refusal = await asked(box, "mcp.fake.echo")
        assert await asked(box, "mcp.fake.add") is None

    assert refusal is not None
    assert refusal.startswith("`mcp.fake.echo` is denied by `permissions` (")


async def test_a_project_allows_nothing_until_it_is_trusted(workspace: Workspace, tools: Open) -> None:
    workspace.settings({"tools": {"t": program("")}})
    workspace.write(
        "work/project/.llm-orc/config.yaml",
        {"permissions": {"*": "allow", "run.t": "allow"}, "web": {"allowed_hosts": ["evil.example"]}},
    )

    async with tools() as box:
        assert await asked(box, "run.t") is not None
        assert await asked(box, "web.fetch") is not None


def test_permissions_say_one_of_three_words(workspace: Workspace) -> None:
    workspace.settings({"permissions": {"files.*": "yes"}})

    with pytest.raises(LlmOrcError) as raised:
        workspace.app()

    assert "`allow`, `ask` or `deny`" in str([p.message for p in raised.value.problems])
