"""`llm-orc check`: everything wrong with ensembles at once, and what a run would use."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Unpack

import click

from llm_orc.cli.inspect.check_text import report_lines
from llm_orc.cli.shell.arguments import EnsembleName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.input_lines import inputs_value
from llm_orc.cli.shell.model_options import ModelOptions, model_options, named_models
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.output.streams import painted, write_data
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.errors import EnsembleInvalid
from llm_orc.formats.json_values import access_value, error_value, problem_value
from llm_orc.net.late_loop import run_late

if TYPE_CHECKING:
    from llm_orc.app.diagnostics.check import CheckReport
    from llm_orc.jsontypes import JsonValue


@define_command({0: "all ensembles are good, with or without access here", 3: "there are problems"})
@click.argument("ensembles", metavar="[ENSEMBLE]...", nargs=-1, type=EnsembleName())
@click.option("--offline", is_flag=True, help="Only read files: look for no keys, programs or servers.")
@click.option(
    "--allow-metered", is_flag=True, help="Check as for `invoke --allow-metered`.  [default: as without]"
)
@model_options
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document.")
def command(
    *,
    ensembles: tuple[str, ...],
    offline: bool,
    allow_metered: bool,
    as_json: bool,
    **models: Unpack[ModelOptions],
) -> int:
    """Check each ENSEMBLE, a name, a YAML file or a folder: every problem with its line, and what a run would use.

    Without ENSEMBLE, those of this project and your own are checked. No model is called.

    \b
    llm-orc check panel
    llm-orc check .llm-orc/ensembles/panel.yaml --json
    llm-orc check --offline .             in CI, or before a commit: needs no access
    """
    from llm_orc.app.diagnostics.check import check_all, check_ensemble
    from llm_orc.app.diagnostics.check_targets import check_targets, ensembles_here

    named = named_models(**models)
    app = app_here()
    targets = check_targets(app, ensembles) if ensembles else ensembles_here(app)
    if not targets:
        raise UsageMistake("there are no ensembles here", hint="Create one with `llm-orc new`, or name one.")
    if len(targets) == 1:
        one = check_ensemble(app, targets[0], allow_metered=allow_metered, offline=offline, models=named)
        reports = [run_late(one)]
    else:
        reports = run_late(check_all(app, targets, allow_metered=allow_metered, offline=offline, models=named))
    if as_json:
        write_json(_value(reports))
    else:
        text = "".join(f"{painted(parts, sys.stdout)}\n" for parts in report_lines(reports))
        write_data(text, is_printable=True)
    return 0 if all(report.is_good for report in reports) else EnsembleInvalid.exit_code


def _value(reports: list[CheckReport]) -> JsonValue:
    return {
        "is_good": all(report.is_good for report in reports),
        "problems": [problem_value(found) for found in dict.fromkeys(p for r in reports for p in r.problems)],
        "warnings": [problem_value(found) for found in dict.fromkeys(w for r in reports for w in r.warnings)],
        "ensembles": [_ensemble_value(report) for report in reports],
    }


def _ensemble_value(report: CheckReport) -> JsonValue:
    from llm_orc.cli.shell.access_lines import cached_value, programs_value, tools_value

    ensemble, plan = report.ensemble, report.plan
    return {
        "target": report.target,
        "ensemble": ensemble.name if ensemble else None,
        "file": ensemble.source.path if ensemble and ensemble.source else None,
        "is_good": report.is_good,
        "can_run": report.can_run,
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
        "programs": programs_value(report.programs),
        "files": [{"agent": agent, "path": path} for agent, path in report.files],
        "cached": cached_value(report.cached),
        "tools": tools_value(report.tools),
        "notices": list(plan.notices) if plan else [],
        "error": error_value(report.access_error) if report.access_error else None,
    }
