"""`llm-orc resume`: resume a run that was stopped, was killed or had failures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import click

from llm_orc.cli.shell.arguments import RunName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import RunningOptions, app_here, limits_of, running_options, when_full_option
from llm_orc.cli.shell.output_options import output_of
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from llm_orc.agents.spec import WhenFull
    from llm_orc.app.access.consent import Consent
    from llm_orc.app.runs.request import RunListener
    from llm_orc.app.runs.resume import ResumeOptions
    from llm_orc.app.wiring import App
    from llm_orc.errors import MeteredNotAllowed, NotLoggedIn
    from llm_orc.runs.results import RunResult


@define_command()
@click.argument("run", required=False, type=RunName())
@when_full_option
@click.option("--now", is_flag=True, help="Call a plan that is used up, although it has not reset yet.")
@running_options
def command(
    *,
    run: str | None,
    when_full: WhenFull | None,
    now: bool,
    **running: Unpack[RunningOptions],
) -> int:
    """Resume RUN: its id, the start of one, or `last`.  [default: the newest unfinished run]

    Agents that have answered are not asked again; the others get the same task and the same ensemble, even if its
    file has changed. The result is that of the whole run. If they need a plan that is used up, nothing is called
    before it resets: `resume` says until when, or waits with --wait-for-plan.

    \b
    llm-orc resume
    llm-orc resume 20261103-09 --output-format json
    """
    from llm_orc.app.access.consent import Consent
    from llm_orc.app.runs.resume import ResumeOptions
    from llm_orc.cli.run.carry_out import carry_out

    output = output_of(running)
    request = Resumption(app_here(), ResumeOptions(run, limits_of(running), when_full=when_full, now=now))
    return carry_out(request, Consent(running["allow_metered"]), output)


@dataclass(frozen=True, slots=True)
class Resumption:
    """See `carry_out.Request`."""

    app: App
    options: ResumeOptions
    recorded: bool = True

    async def start(self, consent: Consent, listener: RunListener) -> RunResult:
        from llm_orc.app.runs.resume import resume_run

        return await resume_run(self.app, replace(self.options, consent=consent), listener)

    def agree(self, refusal: MeteredNotAllowed, consent: Consent) -> Consent | None:
        from llm_orc.app.runs.resume import preview_resume
        from llm_orc.cli.shell.consent import Costly, ask_to_pay
        from llm_orc.net.event_loop import run_to_end

        def costly() -> Costly:
            ensemble, plan = run_to_end(preview_resume(self.app, self.options))
            return Costly("the rest of this run", plan, ensemble)

        return ask_to_pay(self.app, refusal, costly, consent)

    def set_up(self, missing: NotLoggedIn) -> bool:
        return False
