"""Give an answer, and go on with the run."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar

import click

from llm_orc.cli.run.resume import Resumption
from llm_orc.cli.shell.approvals.said import Said
from llm_orc.cli.shell.arguments import AgentOfRun, RunName
from llm_orc.cli.shell.options import RunningOptions, app_here, limits_of, running_options
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.output_options import output_of
from llm_orc.cli.shell.prompts import nobody_to_ask, person_is_here, select
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.formats.printable import first_words
from llm_orc.runs.results import WAITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.app.history.runs import RunRecord
    from llm_orc.engine.events import ApprovalAsked

Decorated = TypeVar("Decorated", bound="Callable[..., object]")


class GivingOptions(RunningOptions):
    """What click gives a command for `giving_options`."""

    run: str | None
    asking: str | None
    no_resume: bool


def giving_options(function: Decorated) -> Decorated:
    """Add the arguments and options of every command that answers."""
    for option in reversed(
        (
            click.argument("run", required=False, type=RunName()),
            click.argument("asking", metavar="[AGENT]", required=False, type=AgentOfRun()),
            click.option("--no-resume", is_flag=True, help="Only record the answer: `resume` goes on later."),
        )
    ):
        function = option(function)
    return running_options(function)


def give(said: Said, options: GivingOptions) -> int:
    """Record the answer, go on with the run, and return the exit code."""
    from llm_orc.app.access.consent import Consent
    from llm_orc.app.approvals.answers import GivenAnswer
    from llm_orc.app.history.approvals import is_taken, record_answer, waiting_run
    from llm_orc.app.runs.resume import ResumeOptions
    from llm_orc.cli.run.carry_out import carry_out
    from llm_orc.net.event_loop import run_to_end

    output = output_of(options)
    app = app_here()
    record = waiting_run(app, options["run"])
    run_id = record.summary.run_id
    asked = _chosen_question(record, options["asking"])
    if said.choice is None and said.text is None:
        said = _ask(asked)
        if said.choice is None and said.text is None:
            return WAITS
    record_answer(app, run_id, asked, GivenAnswer(said.choice, said.text))
    if not options["quiet"]:
        note(f"{asked.agent}: {said.choice if said.choice is not None else said.text}")
    if options["no_resume"]:
        note(f"The answer is recorded. Go on with: llm-orc resume {run_id}")
        return 0
    if run_to_end(is_taken(app, run_id)):
        note("The answer is recorded. The run is going on in another process, which takes it.")
        return 0
    return carry_out(
        Resumption(app, ResumeOptions(run_id, limits_of(options))), Consent(options["allow_metered"]), output
    )


def _chosen_question(record: RunRecord, agent: str | None) -> ApprovalAsked:
    """Return what the agent asks. If several ask and none is named, the person at the terminal chooses."""
    from llm_orc.app.history.approvals import question_of

    asking = [*record.state.open_questions.values()]
    if agent is None and len(asking) > 1 and person_is_here():
        shown = [f"{asked.agent}: {first_words(asked.message)}" for asked in asking]
        return asking[select("Which one?", shown)]
    return question_of(record, agent)


def _ask(asked: ApprovalAsked) -> Said:
    """Ask the person at the terminal. Raises `UsageMistake` without one."""
    from llm_orc.cli.shell.approvals.asker import asker
    from llm_orc.net.event_loop import run_to_end

    ask = asker(nullcontext)
    if ask is None:
        option = "--choice" if asked.choices else "--text"
        raise UsageMistake(f"no answer is given, and {nobody_to_ask()}", hint=f"Give it with `{option}`.")
    reply = run_to_end(ask(asked))
    return Said() if reply is None else Said(reply.choice, reply.text)
