"""`llm-orc explain`: which access each agent would use, who pays, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import click

from llm_orc.cli.shell.arguments import EnsembleName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.input_lines import input_lines, inputs_value
from llm_orc.cli.shell.model_options import ModelOptions, model_options, named_models
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.formats.json_values import access_value, named_model_value
from llm_orc.formats.printable import one_line, printable, unmistakable
from llm_orc.net.late_loop import run_late

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.app.access.models import AccessPlan, AgentAccess
    from llm_orc.auth.access import Access
    from llm_orc.jsontypes import JsonValue


@define_command()
@click.argument("ensemble_name", metavar="ENSEMBLE", type=EnsembleName())
@click.option(
    "--allow-metered", is_flag=True, help="Decide as for `invoke --allow-metered`.  [default: as without]"
)
@model_options
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document.")
def command(*, ensemble_name: str, allow_metered: bool, as_json: bool, **models: Unpack[ModelOptions]) -> None:
    """Show for each agent of ENSEMBLE which access a run would use now, who pays, and why no other.

    No model is called, and no program started. If a run is not possible, the error and its exit code are those of
    a run.

    \b
    llm-orc explain panel
    llm-orc explain panel --json
    """
    from llm_orc.app.access.explain import explain_access
    from llm_orc.app.projects.find_ensemble import find_ensemble
    from llm_orc.app.projects.programs import refuse_programs
    from llm_orc.cli.shell.access_lines import programs_value

    named = named_models(**models)
    app = app_here()
    ensemble = find_ensemble(app, ensemble_name, note, models=named)
    plan = run_late(explain_access(app, ensemble, allow_metered=allow_metered, models=named))
    if as_json:
        write_json(
            {
                "agents": [_value(agent) for agent in plan.agents],
                "without_model": [{"agent": agent, "kind": kind} for agent, kind in plan.without_model],
                "programs": programs_value(plan.programs),
                "files": [{"agent": agent, "path": path} for agent, path in plan.files],
                "people": [{"agent": agent, "message": message} for agent, message in plan.people],
                "inputs": inputs_value(ensemble),
                "notices": list(plan.notices),
            }
        )
    else:
        asked = [*input_lines(ensemble)]
        lines = [*_lines(plan), *(["", *asked] if asked else [])]
        write_data("".join(f"{line}\n" for line in lines))
        for notice in plan.notices:
            note(notice)
    refuse_programs(app, ensemble)


def _lines(plan: AccessPlan) -> Iterator[str]:
    """Agents with the same decision share one block of lines."""
    from llm_orc.cli.shell.access_lines import program_lines, written_lines

    groups: dict[AgentAccess, list[str]] = {}
    for agent in plan.agents:
        groups.setdefault(_nameless(agent), []).append(agent.agent)
    for number, (access, names) in enumerate(groups.items()):
        if number:
            yield ""
        yield ", ".join(names)
        yield from _decision(access)
    if plan.agents and plan.without_model:
        yield ""
    programs, people = {one.agent: one for one in plan.programs}, dict(plan.people)
    for name, kind in plan.without_model:
        if name in people:
            yield f"{name}: asks a person"
            yield from (f"  │ {line}" for line in printable(people[name]).splitlines())
            continue
        if name not in programs:
            yield f"{name}: {kind}, asks no model"
            continue
        yield name
        yield from program_lines(programs[name])
    if plan.files:
        yield ""
        yield from written_lines(plan.files)


def _nameless(agent: AgentAccess) -> AgentAccess:
    return replace(agent, agent="")


def _decision(agent: AgentAccess) -> Iterator[str]:
    from llm_orc.cli.shell.access_lines import WHO_PAYS

    access = agent.access
    profile = f" (profile `{agent.profile}`)" if agent.profile else ""
    yield f"  uses     {one_line(f'{access.provider} {agent.model}')} by {access.method}{profile}"
    if agent.instead is not None:
        yield f"  named    {one_line(f'`{agent.instead.text}` with {agent.instead.by}')}, in place of its own"
    yield f"  pays     {WHO_PAYS[access.billing]}"
    yield f"  with     {unmistakable(access.source)}"
    if agent.why:
        yield f"  because  {one_line(agent.why)}"
    for model, fallback in agent.fallbacks:
        what = f"{fallback.provider} {model} by {fallback.method} · {WHO_PAYS[fallback.billing]}"
        yield f"  then     {one_line(what)}"
    for other in agent.considered:
        if not other.is_used and not any(_is(other.provider, other.method, f) for _, f in agent.fallbacks):
            what = f"{other.provider} {other.method}".strip()
            yield f"  not      {one_line(what)}: {unmistakable(other.outcome)}"


def _is(provider: str, method: str, access: Access) -> bool:
    return (access.provider, access.method) == (provider, method)


def _value(agent: AgentAccess) -> JsonValue:
    return {
        "agent": agent.agent,
        "profile": agent.profile,
        "model": agent.model,
        "named_model": named_model_value(agent.instead),
        "access": access_value(agent.access),
        "why": agent.why or None,
        "fallbacks": [{"model": model, "access": access_value(access)} for model, access in agent.fallbacks],
        "considered": [
            {
                "provider": one.provider,
                "method": one.method or None,
                "is_used": one.is_used,
                "outcome": one.outcome,
            }
            for one in agent.considered
        ],
    }
