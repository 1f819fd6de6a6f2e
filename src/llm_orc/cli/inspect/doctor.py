"""`llm-orc doctor`: find problems on this machine, each with its fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import write_json
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.cli.shell.prompts import person_is_here
from llm_orc.formats.figures import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.app.diagnostics.doctor import Finding

_MARKS = {"ok": "✓", "warning": "!", "fault": "✗"}


@define_command({1: "something is wrong; warnings alone are not counted"})
@click.option("--offline", is_flag=True, help="Contact no server.")
@click.option("--all", "show_all", is_flag=True, help="Also show what is in order.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document, including what is in order.")
def command(*, offline: bool, show_all: bool, as_json: bool) -> int:
    """Find problems with settings, ensembles, files, credentials, official CLIs, clock and network.

    Servers in use are asked for their time, without a credential; nothing is spent and nothing changed.
    """
    from llm_orc.app.diagnostics.doctor import examine
    from llm_orc.net.event_loop import run_to_end
    from llm_orc.settings.environment import ProcessEnvironment

    found = run_to_end(examine(ProcessEnvironment.here(is_attended=person_is_here()), online=not offline))
    faults = sum(finding.grade == "fault" for finding in found)
    warnings = sum(finding.grade == "warning" for finding in found)
    if as_json:
        write_json(
            {
                "faults": faults,
                "warnings": warnings,
                "findings": [{"area": f.area, "grade": f.grade, "says": f.says, "fix": f.fix} for f in found],
            }
        )
    else:
        shown = [f for f in found if show_all or f.grade != "ok"]
        write_data("".join(f"{line}\n" for line in _lines(shown)))
        note(_summary(faults, warnings, len(found)))
    return 1 if faults else 0


def _lines(found: Sequence[Finding]) -> Iterator[str]:
    for finding in found:
        yield f"{_MARKS[finding.grade]} {finding.area}: {finding.says}"
        if finding.fix and finding.grade != "ok":
            yield f"  fix: {finding.fix}"


def _summary(faults: int, warnings: int, looked_at: int) -> str:
    if not faults and not warnings:
        return f"No problems: {count(looked_at, 'check')} passed."
    parts = [count(number, noun) for number, noun in ((faults, "fault"), (warnings, "warning")) if number]
    return f"{', '.join(parts)}; {looked_at} checks in all (`--all` shows them)."
