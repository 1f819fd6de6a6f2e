"""What `llm-orc check` shows of its reports in a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.cli.shell.input_lines import input_lines
from llm_orc.cli.shell.output.excerpts import problem_lines
from llm_orc.cli.shell.output.streams import Styled, columns
from llm_orc.formats.figures import count
from llm_orc.storage.shown_path import shown_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.app.diagnostics.check import CheckReport
    from llm_orc.cli.shell.output.excerpts import Line


def report_lines(reports: Sequence[CheckReport]) -> Iterator[Line]:
    """Return all that is known of one ensemble; of several, what is wrong with them. The last line sums it up."""
    if len(reports) == 1:
        yield from _ensemble_lines(reports[0])
    width = columns(sys.stdout)
    for kind, found in (
        ("error", dict.fromkeys(p for r in reports for p in r.problems)),
        ("warning", dict.fromkeys(w for r in reports for w in r.warnings)),
    ):
        for problem in found:
            yield from problem_lines(problem, kind, columns=width)
            yield []
    yield from _access_lines(reports)
    yield [_verdict(reports)]


def _ensemble_lines(report: CheckReport) -> Iterator[Line]:
    ensemble = report.ensemble
    if ensemble is None:
        return
    where = f" ({shown_path(Path(ensemble.source.path))})" if ensemble.source else ""
    yield [f"{ensemble.name}: {count(len(ensemble.agents), 'agent')}{where}"]
    for number, names in enumerate(report.order, start=1):
        yield [f"  {number}. {', '.join(names)}"]
    yield from ([f"  {line}"] for line in input_lines(ensemble))
    if report.plan is not None:
        from llm_orc.cli.shell.access_lines import access_lines

        lines = [*access_lines(report.plan)]
        yield ["A run would use:" if lines else "A run would ask no model."]
        yield from ([f"  {line}"] for line in lines)
    elif report.programs or report.files:
        from llm_orc.cli.shell.access_lines import started_lines, written_lines

        if report.programs:
            yield ["A run would start:"]
            yield from ([f"  {line}"] for line in started_lines(report.programs))
        if report.files:
            yield ["A run would write:"]
            yield from ([f"  {line}"] for line in written_lines(report.files))
    if report.tools:
        from llm_orc.cli.shell.access_lines import tool_lines

        yield ["A run would let agents call:"]
        yield from ([f"  {line}"] for line in tool_lines(report.tools))
    if report.cached:
        from llm_orc.cli.shell.access_lines import cached_lines

        yield ["A run would be given again:"]
        yield from ([f"  {line}"] for line in cached_lines(report.cached))


def _access_lines(reports: Sequence[CheckReport]) -> Iterator[Line]:
    """Show each reason why runs have no access here, with the ensembles that it concerns."""
    concerned: dict[tuple[str, str | None], list[str]] = {}
    for report in reports:
        if report.access_error is not None:
            error = report.access_error
            concerned.setdefault((error.message, error.hint), []).append(_name(report))
    for (message, hint), names in concerned.items():
        whose = f" for {', '.join(f'`{name}`' for name in names)}" if len(reports) > 1 else ""
        yield [Styled("no access here", "yellow"), f"{whose}: {message}"]
        if hint:
            yield [Styled("hint", "cyan"), f": {hint}"]


def _name(report: CheckReport) -> str:
    return report.ensemble.name if report.ensemble else report.target


def _verdict(reports: Sequence[CheckReport]) -> str | Styled:
    problems = dict.fromkeys(problem for report in reports for problem in report.problems)
    if problems:
        files = len({problem.file for problem in problems if problem.file}) or 1
        return Styled(f"Found {count(len(problems), 'problem')} in {count(files, 'file')}.", "red")
    without = sum(report.access_error is not None for report in reports)
    unseen = any(report.can_run is None for report in reports)
    if len(reports) == 1:
        more = ", but no access here" if without else "; access was not looked at" if unseen else ""
        return Styled(f"Status: good{more}", "green")
    some = f" {without} of them can't run here: no access." if without else ""
    some = " Access was not looked at." if unseen else some
    return Styled(f"All {len(reports)} ensembles are good.{some}", "green")
