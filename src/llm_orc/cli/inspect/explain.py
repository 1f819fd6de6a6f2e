"""`llm-orc explain`: which access each agent would use, who pays, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import click

from llm_orc.app.access.bills.today import spent_today
from llm_orc.cli.inspect.today import today_value, today_words
from llm_orc.cli.shell.arguments import EnsembleName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.exits import write_error
from llm_orc.cli.shell.input_lines import input_lines, inputs_value
from llm_orc.cli.shell.model_options import ModelOptions, model_options, named_models
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.errors import LlmOrcError
from llm_orc.formats.figures import count
from llm_orc.formats.json_values import access_value, error_value, named_model_value
from llm_orc.formats.printable import one_line, printable, unmistakable
from llm_orc.net.late_loop import run_late

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.app.access.models import AccessPlan, AgentAccess, Considered, MissingAccess
    from llm_orc.auth.access import Access
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.jsontypes import JsonValue


@define_command()
@click.argument("ensemble_name", metavar="ENSEMBLE", type=EnsembleName())
@click.option(
    "--allow-metered", is_flag=True, help="Decide as for `invoke --allow-metered`.  [default: as without]"
)
@model_options
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document.")
def command(*, ensemble_name: str, allow_metered: bool, as_json: bool, **models: Unpack[ModelOptions]) -> int:
    """Show for each agent of ENSEMBLE which access a run would use now, who pays, and why no other.

    No model is called, and no program started. If a run is not possible, what is missing is shown for each agent,
    and the error and its exit code are those of a run.

    \b
    llm-orc explain panel
    llm-orc explain panel --json
    """
    from llm_orc.app.access.explain import explain_all
    from llm_orc.app.projects.find_ensemble import find_ensemble
    from llm_orc.app.projects.programs import refuse_programs
    from llm_orc.app.tools.outlook import refuse_tools, tool_outlook
    from llm_orc.cli.shell.access_lines import tool_lines, tools_value
    from llm_orc.engine.plan import make_plan, stages

    named = named_models(**models)
    app = app_here()
    ensemble = find_ensemble(app, ensemble_name, note, models=named)
    order = stages(make_plan(ensemble))
    plan, error = run_late(explain_all(app, ensemble, allow_metered=allow_metered, models=named))
    today = spent_today(app)
    tools = tool_outlook(app, ensemble)
    try:
        refuse_programs(app, ensemble)
        refuse_tools(app, ensemble)
    except LlmOrcError as e:
        error = error or e
    if as_json:
        write_json(
            _document(ensemble, order, plan, error) | {"tools": tools_value(tools), "today": today_value(today)}
        )
    else:
        graph = [f"  {number}. {', '.join(names)}" for number, names in enumerate(order, start=1)]
        head = [f"{ensemble.name}: {count(len(ensemble.agents), 'agent')}", *graph, ""]
        asked = [*input_lines(ensemble)]
        lines = [*(head if len(ensemble.agents) > 1 else []), *_lines(plan), *(["", *asked] if asked else [])]
        if tools:
            lines += ["", *tool_lines(tools)]
        if today is not None:
            lines += ["", f"today: {today_words(today)}"]
        write_data("".join(f"{line}\n" for line in lines))
        for notice in plan.notices:
            note(notice)
    if error is None:
        return 0
    write_error(error)
    return error.exit_code


def _document(
    ensemble: Ensemble, order: Sequence[Sequence[str]], plan: AccessPlan, error: LlmOrcError | None
) -> dict[str, JsonValue]:
    from llm_orc.cli.shell.access_lines import cached_value, programs_value

    return {
        "order": [list(names) for names in order],
        "agents": [_value(agent) for agent in plan.agents],
        "missing": [_missing_value(one) for one in plan.missing],
        "without_model": [{"agent": agent, "kind": kind} for agent, kind in plan.without_model],
        "programs": programs_value(plan.programs),
        "files": [{"agent": agent, "path": path} for agent, path in plan.files],
        "cached": cached_value(plan.cached),
        "people": [{"agent": agent, "message": message} for agent, message in plan.people],
        "inputs": inputs_value(ensemble),
        "notices": list(plan.notices),
        "error": None if error is None else error_value(error),
    }


def _lines(plan: AccessPlan) -> Iterator[str]:
    """Agents with the same decision share one block of lines."""
    from llm_orc.cli.shell.access_lines import cached_lines, program_lines, written_lines

    groups: dict[AgentAccess, list[str]] = {}
    for agent in plan.agents:
        groups.setdefault(_nameless(agent), []).append(agent.agent)
    for number, (access, names) in enumerate(groups.items()):
        if number:
            yield ""
        yield ", ".join(names)
        yield from _decision(access)
    yield from _missing_lines(plan)
    if (plan.agents or plan.missing) and plan.without_model:
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
    if plan.files or plan.cached:
        yield ""
        yield from written_lines(plan.files)
        yield from cached_lines(plan.cached)


def _missing_lines(plan: AccessPlan) -> Iterator[str]:
    """Yield what keeps agents from running, for all that miss the same in one block."""
    groups: dict[tuple[tuple[str, str | None], ...], list[MissingAccess]] = {}
    for one in plan.missing:
        groups.setdefault(tuple((e.message, e.hint) for e in one.problems), []).append(one)
    for number, (problems, alike) in enumerate(groups.items()):
        if number or plan.agents:
            yield ""
        yield ", ".join(one.agent for one in alike)
        for message, hint in problems:
            yield f"  missing  {unmistakable(one_line(message))}"
            if hint:
                yield f"           {unmistakable(one_line(hint))}"
        for other in alike[0].considered:
            if other.outcome not in {message for message, _ in problems}:
                yield _not_used(other)


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
            yield _not_used(other)


def _not_used(other: Considered) -> str:
    what = f"{other.provider} {other.method}".strip()
    return f"  not      {f'{one_line(what)}: ' if what else ''}{unmistakable(other.outcome)}"


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
        "considered": _considered_value(agent.considered),
    }


def _missing_value(one: MissingAccess) -> JsonValue:
    return {
        "agent": one.agent,
        "problems": [error_value(problem) for problem in one.problems],
        "considered": _considered_value(one.considered),
    }


def _considered_value(considered: Sequence[Considered]) -> list[JsonValue]:
    return [
        {
            "provider": one.provider or None,
            "method": one.method or None,
            "is_used": one.is_used,
            "outcome": one.outcome,
        }
        for one in considered
    ]
