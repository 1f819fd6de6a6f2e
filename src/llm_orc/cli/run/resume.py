"""`llm-orc resume`: go on with a run that was stopped, killed or had failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.arguments import RunName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, output_of, running_options, when_full_option
from llm_orc.cli.shell.streams import note

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from llm_orc.agents.spec import WhenFull
    from llm_orc.app.access.models import AccessPlan
    from llm_orc.engine.events import RunEvent
    from llm_orc.errors import MeteredNotAllowed
    from llm_orc.runs.state import RunResult


@define_command()
@click.argument("run", required=False, type=RunName())
@when_full_option
@running_options
def command(
    *,
    run: str | None,
    when_full: WhenFull | None,
    format_name: str,
    output_file: str | None,
    quiet: bool,
    allow_metered: bool,
    max_concurrent: int | None,
    timeout_s: float | None,
    max_cost_usd: float | None,
    max_calls: int | None,
) -> int:
    """Go on with RUN: its id, the beginning of one, or `last`.  [default: the newest unfinished run]

    Agents that have answered are not asked again; the others get the same task and the same ensemble, whatever
    happened to its file meanwhile. The result is that of the whole run.

    \b
    llm-orc resume
    llm-orc resume 20261103-09 --output-format json
    """
    from llm_orc.app.runs.resume import ResumeOptions, resume_run
    from llm_orc.cli.run.carry_out import carry_out
    from llm_orc.cli.shell.consent import agrees_to_pay

    output = output_of(format_name, output_file, quiet=quiet)
    app = app_here()

    def start(
        *,
        allow_metered: bool,
        stream: bool,
        show: Callable[[RunEvent], None],
        planned: Callable[[AccessPlan], None],
    ) -> Coroutine[object, object, RunResult]:
        options = ResumeOptions(
            run=run,
            allow_metered=allow_metered,
            max_concurrent=max_concurrent,
            timeout_s=timeout_s,
            max_cost_usd=max_cost_usd,
            max_calls=max_calls,
            stream=stream,
            when_full=when_full,
        )
        return resume_run(app, options, show=show, planned=planned, waiting=note)

    def agree(refusal: MeteredNotAllowed) -> bool:
        return agrees_to_pay(app, refusal, "this run")

    return carry_out(start, output, allow_metered=allow_metered, recorded=True, agree=agree)
