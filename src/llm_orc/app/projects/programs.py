"""Which programs an ensemble would start, whether it may, and whether they are there. Nothing is started here."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import agents_with_source, all_agents, needs_of, sources_of
from llm_orc.app.projects.in_force import in_force, trust_command
from llm_orc.app.projects.nested import nested_in
from llm_orc.dataclass import dataclass
from llm_orc.errors import EnsembleError, NotTrusted, SettingsError
from llm_orc.net.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.agents.spec import Source
    from llm_orc.agents.work import Program
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble


_START_PROGRAMS = ("run.", "mcp.")  # tools that programs or servers are started for


@dataclass(frozen=True, slots=True)
class AgentProgram:
    """A program that an agent would start; `problem` is why it can't be, `source` the file that it is from."""

    agent: str
    program: Program
    problem: str | None = None
    source: Source | None = None


def programs_of(app: App, ensemble: Ensemble, *, looks: bool = True) -> tuple[AgentProgram, ...]:
    """Return the programs that a run would start, in the order of the agents.

    `looks`: whether they are there. If not, no `problem` is known.
    """
    return tuple(
        AgentProgram(path, program, _problem(app, program) if looks else None, source)
        for path, spec, source in agents_with_source(ensemble)
        for program in needs_of(spec.work).programs
    )


def files_of(ensemble: Ensemble) -> tuple[tuple[str, str], ...]:
    """Return the files that a run would write, each with its agent, in the order of the agents."""
    return tuple((path, spec.save_as) for path, spec in all_agents(ensemble) if spec.save_as is not None)


def refuse_programs(app: App, ensemble: Ensemble) -> None:
    """Raise `NotTrusted` if an untrusted project's file starts programs, for tools too, or writes files.

    Raises `SettingsError` if a program is missing.
    """
    programs = programs_of(app, ensemble)
    theirs = [one for one in programs if one.source is not None and not one.source.is_users]
    if theirs and theirs[0].source is not None:
        file = theirs[0].source.path
        listed = ", ".join(f"`{one_line(one.program.command, 100)}` (agent `{one.agent}`)" for one in theirs[:3])
        more = f" and {len(theirs) - 3} more" if len(theirs) > 3 else ""
        raise NotTrusted(
            f"`{file}` would start programs, and you have not trusted it: {listed}{more}",
            hint=f"Read what it runs, and allow it, with `{trust_command(app, file)}`.",
        )
    for path, spec, source in agents_with_source(ensemble):
        starts = [name for name in needs_of(spec.work).tools if name.startswith(_START_PROGRAMS)]
        if starts and source is not None and not source.is_users:
            raise NotTrusted(
                f"`{source.path}` would start the tool `{one_line(starts[0], 100)}` (agent `{path}`), and you"
                " have not trusted it",
                hint=f"Read what it asks for, and allow it, with `{trust_command(app, source.path)}`.",
            )
        if spec.save_as is not None and source is not None and not source.is_users:
            raise NotTrusted(
                f"`{source.path}` would write `{one_line(spec.save_as, 100)}` (agent `{path}`), and you have not"
                " trusted it",
                hint=f"Read what it writes, and allow it, with `{trust_command(app, source.path)}`.",
            )
    missing = [one for one in programs if one.problem is not None]
    if missing:
        raise SettingsError(
            "; ".join(f"agent `{one.agent}`: {one.problem}" for one in missing),
            hint="Install it, or add its directory to your `PATH`.",
        )


def refuse_foreign_programs(app: App, ensemble: Ensemble) -> None:
    """Raise `NotTrusted` if a recipe of somebody else would start or write what this machine's own files don't.

    Otherwise anyone who can write to the store of a batch could run what they like on its workers.
    """
    programs, files = _programs(ensemble), files_of(ensemble)
    if not programs and not files:
        return
    own = [*_own(app, ensemble)]
    if files and files not in (files_of(one) for one in own):
        agent, path = files[0]
        raise NotTrusted(
            f"the batch would write `{one_line(path, 100)}` (agent `{agent}`), which no ensemble `{ensemble.name}`"
            " of this machine does",
            hint="Put the same ensemble at the same place here; nothing was written.",
        )
    if programs and programs not in (_programs(one) for one in own):
        agent, program = programs[0]
        raise NotTrusted(
            f"the batch would start `{program.command}` (agent `{agent}`), which no ensemble `{ensemble.name}` of"
            " this machine does",
            hint="Put the same ensemble with its scripts at the same place here; nothing was started.",
        )


def _own(app: App, ensemble: Ensemble) -> Iterator[Ensemble]:
    """Yield what this machine has of the ensemble: at the same path, and by its name, if it may start programs."""
    for wanted in (ensemble.source.path if ensemble.source else None, ensemble.name):
        if wanted is None:
            continue
        try:
            found = nested_in(app, in_force(app, app.library.find(wanted, app.environment.cwd))).ensemble
        except EnsembleError:
            continue
        if all(source.is_users for source in sources_of(found)):
            yield found


def _programs(ensemble: Ensemble) -> list[tuple[str, Program]]:
    return [(path, one) for path, spec in all_agents(ensemble) for one in needs_of(spec.work).programs]


def _problem(app: App, program: Program) -> str | None:
    name = program.executable
    if "/" in name or "\\" in name:  # relative to a directory that may be made until then
        return None
    if shutil.which(name, path=app.environment.environ.get("PATH", "")) is None:
        return f"the program `{name}` is not there"
    return None
