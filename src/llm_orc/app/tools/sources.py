"""The sources of tools, one row each: everything that differs by the prefix of a tool's name is looked up here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.script.work import ScriptWork
from llm_orc.agents.tool_sources.files.source import FilesSource
from llm_orc.agents.tool_sources.mcp.source import McpSource, split_name
from llm_orc.agents.tool_sources.programs.program import ProgramTool
from llm_orc.agents.tool_sources.programs.source import ProgramSource
from llm_orc.agents.tool_sources.web.hosts import Hosts
from llm_orc.agents.tool_sources.web.source import WebSource
from llm_orc.app.tools.permission import Verdict, usual
from llm_orc.app.tools.servers import client_of, find_server
from llm_orc.dataclass import dataclass
from llm_orc.errors import NotTrusted, SettingsError
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from llm_orc.agents.tool_sources.source import Source
    from llm_orc.app.wiring import App
    from llm_orc.net.transport import Transport
    from llm_orc.settings.model import ToolSettings


Look = tuple[Verdict, str | None]


@dataclass(frozen=True, slots=True)
class Around:
    """What a source may use: the program's parts, and HTTP that is open as long as the source."""

    app: App
    transport: Transport


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source of tools. `open` makes it for one run; nothing is started before one of its tools is named.

    `look` looks at a name without starting anything: it returns what happens to calls by default, and the digest
    of the definition, None if that is not known yet. It raises what is wrong with the name.
    """

    prefix: str
    open: Callable[[Around], Source]
    look: Callable[[App, str], Look]


def files_root(app: App) -> Path:
    """Return the folder that `files.*` show: the project's, or the working directory."""
    return app.settings.project.root if app.settings.project is not None else app.environment.cwd


def closed_folders(app: App) -> Iterable[Path]:
    """Return the folders that no tool shows: what llm-orc itself stores."""
    paths = app.paths
    return (paths.config, paths.state, paths.cache, app.environment.home / ".llm-orc")


def _open_files(around: Around) -> Source:
    return FilesSource(files_root(around.app), closed_folders(around.app))


def _open_web(around: Around) -> Source:
    web = around.app.settings.web
    return WebSource(around.app.settings.network, Hosts(web.allowed_hosts, web.private_hosts or ()))


def _open_programs(around: Around) -> Source:
    return ProgramSource(lambda name: find_program(around.app, name))


def _open_servers(around: Around) -> Source:
    app = around.app
    return McpSource(
        lambda: app.settings.mcp_servers, lambda name: client_of(app, around.transport, find_server(app, name))
    )


def _look_at_files(app: App, name: str) -> Look:
    root, home = files_root(app).resolve(), app.environment.home.resolve()
    if root == home or root in home.parents:
        raise SettingsError(
            f"`{name}` would show all of your home directory: there is no project here",
            hint="Run it in the folder that agents may see; `llm-orc new NAME` makes it a project.",
        )
    return _known(name, ("files.read", "files.list", "files.search"), "allow")


def _look_at_web(app: App, name: str) -> Look:
    return _known(name, ("web.fetch",), "ask" if app.settings.web.allowed_hosts is None else "allow")


def _known(name: str, names: Sequence[str], verdict: Verdict) -> Look:
    if name not in names:
        raise unknown(name, names)
    return verdict, ""


def _look_at_program(app: App, name: str) -> Look:
    tool = find_program(app, name).tool()
    return usual(tool), tool.digest


def _look_at_server(app: App, name: str) -> Look:
    find_server(app, split_name(name, app.settings.mcp_servers)[0])
    return "ask", None


def find_program(app: App, name: str) -> ProgramTool:
    """Return a program of the settings. Raises `SettingsError`, and `NotTrusted` if only a project has it."""
    key = name.partition(".")[2]
    found = app.settings.tools.get(key)
    if found is None:
        if any(one.key.startswith(f"tools.{key}.") for one in app.settings.withheld):
            raise NotTrusted(
                f"the tool `{name}` is a program of a project that you have not trusted",
                hint="Read what it starts and allow it: `llm-orc trust`.",
            )
        raise unknown(name, [f"run.{one}" for one in app.settings.tools])
    if not found.command or not found.description:
        missing = "command" if not found.command else "description"
        raise SettingsError(f"the tool `{name}` has no `{missing}` ({found.origin})", hint="Give it one.")
    return _program(name, found)


def _program(name: str, found: ToolSettings) -> ProgramTool:
    return ProgramTool(
        name,
        found.description or "",
        ScriptWork(argv=found.command, env=dict(found.env), cwd=None if found.cwd is None else str(found.cwd)),
        dict(found.parameters),
        found.timeout_s,
        found.is_idempotent,
        found.only_reads,
    )


SOURCES: dict[str, SourceRow] = {
    row.prefix: row
    for row in (
        SourceRow("files", _open_files, _look_at_files),
        SourceRow("web", _open_web, _look_at_web),
        SourceRow("run", _open_programs, _look_at_program),
        SourceRow("mcp", _open_servers, _look_at_server),
    )
}


def source_of(name: str) -> SourceRow:
    """Return the row of a tool's name. Raises `SettingsError` if there is none."""
    prefix, dot, rest = name.partition(".")
    row = SOURCES.get(prefix)
    if row is None or not dot or not rest:
        raise unknown(name, ("files.read", "files.list", "files.search", "web.fetch"))
    return row


def unknown(name: str, known: Iterable[str]) -> SettingsError:
    """Return the error for the name of a tool that there is not."""
    forms = "Tools are `files.read`, `web.fetch`, `run.NAME` of `tools.NAME`, and `mcp.SERVER.TOOL`."
    return SettingsError(f"no tool is called `{name[:120]}`", hint=did_you_mean(name, known) or forms)
