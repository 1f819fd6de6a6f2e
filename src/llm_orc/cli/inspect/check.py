"""`llm-orc check`: everything wrong with an ensemble at once, and what a run would use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.arguments import EnsembleName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.input_lines import input_lines, inputs_value
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.output.streams import write_data
from llm_orc.errors import EnsembleInvalid
from llm_orc.formats.figures import count
from llm_orc.formats.json_values import access_value, error_value, problem_value
from llm_orc.net.late_loop import run_late

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.app.diagnostics.check import CheckReport
    from llm_orc.errors import Problem
    from llm_orc.jsontypes import JsonValue


@define_command()
@click.argument("ensemble_name", metavar="ENSEMBLE", type=EnsembleName())
@click.option(
    "--allow-metered", is_flag=True, help="Check as for `invoke --allow-metered`.  [default: as without]"
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document.")
def command(*, ensemble_name: str, allow_metered: bool, as_json: bool) -> int:
    """Check ENSEMBLE, a name or a YAML file: every problem with its line and column, and what a run would use.

    No model is called. The exit code is that of a run: 0 if it could start.

    \b
    llm-orc check panel
    llm-orc check .llm-orc/ensembles/panel.yaml --json
    """
    from llm_orc.app.diagnostics.check import check_ensemble

    report = run_late(check_ensemble(app_here(), ensemble_name, allow_metered=allow_metered))
    if as_json:
        write_json(_value(report))
    else:
        write_data("".join(f"{line}\n" for line in _lines(report)))
    if report.problems:
        return EnsembleInvalid.exit_code
    return report.access_error.exit_code if report.access_error else 0


def _lines(report: CheckReport) -> Iterator[str]:
    from llm_orc.cli.shell.access_lines import access_lines

    ensemble = report.ensemble
    if ensemble is not None:
        where = f" ({ensemble.source.path})" if ensemble.source else ""
        yield f"{ensemble.name}: {count(len(ensemble.agents), 'agent')}{where}"
        for number, names in enumerate(report.order, start=1):
            yield f"  {number}. {', '.join(names)}"
        yield from (f"  {line}" for line in input_lines(ensemble))
    for problem in report.problems:
        yield from _problem_lines("error", problem)
    for warning in report.warnings:
        yield from _problem_lines("warning", warning)
    if report.plan is not None:
        lines = [*access_lines(report.plan)]
        yield "A run would use:" if lines else "A run would ask no model."
        yield from (f"  {line}" for line in lines)
    if report.access_error is not None:
        yield f"error: {report.access_error.message}"
        if report.access_error.hint:
            yield f"hint: {report.access_error.hint}"
    yield _verdict(report)


def _problem_lines(kind: str, problem: Problem) -> Iterator[str]:
    yield f"{kind}: {problem}"
    if problem.hint:
        yield "  " + problem.hint.replace("\n", "\n  ")


def _verdict(report: CheckReport) -> str:
    if report.problems:
        return f"Status: {count(len(report.problems), 'problem')}"
    return "Status: good" if report.access_error is None else "Status: good, but no access"


def _value(report: CheckReport) -> JsonValue:
    ensemble, plan = report.ensemble, report.plan
    return {
        "ensemble": ensemble.name if ensemble else None,
        "file": ensemble.source.path if ensemble and ensemble.source else None,
        "is_good": report.is_good,
        "problems": [problem_value(problem) for problem in report.problems],
        "warnings": [problem_value(warning) for warning in report.warnings],
        "order": [list(names) for names in report.order],
        "inputs": inputs_value(ensemble) if ensemble else [],
        "access": None
        if plan is None
        else [
            {
                "agent": agent.agent,
                "profile": agent.profile,
                "model": agent.model,
                "access": access_value(agent.access),
                "fallbacks": [
                    {"model": model, "access": access_value(access)} for model, access in agent.fallbacks
                ],
            }
            for agent in plan.agents
        ],
        "notices": list(plan.notices) if plan else [],
        "error": error_value(report.access_error) if report.access_error else None,
    }
