"""`llm-orc ask`: one question to one model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import click

from llm_orc.cli.run.new_run import NewRun
from llm_orc.cli.run.task_input import instruction_of, read_task, task_options
from llm_orc.cli.shell.arguments import ConversationName, ModelName, ProfileName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.input.given_files import attach_option, read_given
from llm_orc.cli.shell.options import (
    AskingOptions,
    RunningOptions,
    app_here,
    asked_when_full_option,
    asking_options,
    limits_of,
)
from llm_orc.cli.shell.output_options import output_of
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError

if TYPE_CHECKING:
    from llm_orc.agents.spec import WhenFull
    from llm_orc.app.access.consent import Consent
    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.conversations.ask import Asking
    from llm_orc.app.runs.request import RunListener
    from llm_orc.runs.results import RunResult

_GIVE_ONE = 'Give one (`llm-orc ask "…"`), a file (`-f FILE`) or a pipe.'


@define_command()
@task_options
@attach_option
@click.option(
    "-m",
    "--model",
    metavar="MODEL",
    type=ModelName(),
    help="The model: a profile, a provider, PROVIDER/MODEL or a model's name, e.g. `-m ollama`."
    "  [default: LLM_ORC_MODEL, else the profile `default`]",
)
@click.option(
    "--profile", metavar="NAME", type=ProfileName(), help="The same with a model profile.  [default: see above]"
)
@click.option("-s", "--system", metavar="TEXT", help="Its role, e.g. `-s 'You are a poet.'`.  [default: none]")
@click.option("-c", "--continue", "go_on", is_flag=True, help="Continue after the last question and its answer.")
@click.option(
    "--conversation",
    metavar="NAME",
    type=ConversationName(),
    help="Continue or start this conversation, e.g. `taxes`.  [default: none]",
)
@asked_when_full_option
@click.option("--rehearse", is_flag=True, help="A canned answer, for free; no model is called.")
@click.option("--no-record", is_flag=True, help="Store nothing; the question can't be continued then.")
@asking_options
def command(
    *,
    task: str | None,
    text: str | None,
    input_files: tuple[str, ...],
    attached: tuple[str, ...],
    model: str | None,
    profile: str | None,
    system: str | None,
    go_on: bool,
    conversation: str | None,
    when_full: WhenFull | None,
    rehearse: bool,
    no_record: bool,
    **running: Unpack[AskingOptions],
) -> int:
    """Ask one model a question, without an ensemble. `llm-orc "a question"` is the same.

    What is piped in and files (-f) go along with TASK as marked parts. The answer goes to standard output, in a
    terminal while it arrives; everything else goes to standard error.

    \b
    llm-orc ask "What is a covenant?" -m ollama
    git diff | llm-orc ask "Write the commit message."
    llm-orc ask -a photo.png "What is on it?"
    llm-orc ask -c "Shorter, please."
    """
    from llm_orc.app.access.consent import Consent
    from llm_orc.app.conversations.ask import ask_first, continue_last
    from llm_orc.app.runs.conversation import ConversationOptions
    from llm_orc.app.runs.run import RunOptions
    from llm_orc.cli.run.carry_out import carry_out

    _refuse_contradictions(
        model=model, profile=profile, go_on=go_on, conversation=conversation, no_record=no_record
    )
    complete: RunningOptions = {
        **running,
        "agent": None,
        "all_agents": False,
        "max_concurrent": None,
        "allowed_tools": (),
        "denied_tools": (),
    }
    question = instruction_of(task, text)
    output = output_of(complete, *input_files, *attached)
    app = app_here()
    _, files = read_given(app, None, {}, attached, *input_files)
    whole = read_task(question, input_files, missing=InputError("there is no question", hint=_GIVE_ONE))
    asking = continue_last(app) if go_on else ask_first(app, conversation)
    asking = asking.with_model(app, model, profile).with_role(system)
    recorded = app.settings.runs.record and not no_record
    options = RunOptions(
        whole,
        limits_of(complete),
        rehearse=rehearse,
        record=recorded,
        conversation=ConversationOptions(asking.conversation, when_full=when_full),
        given=files,
    )
    request = _Question(app, asking.partner.in_force(app), options, recorded, asking)
    return carry_out(request, Consent(running["allow_metered"]), output)


def _refuse_contradictions(
    *, model: str | None, profile: str | None, go_on: bool, conversation: str | None, no_record: bool
) -> None:
    if model is not None and profile is not None:
        raise UsageMistake("--model and --profile exclude each other", hint="Give only one.")
    if go_on and conversation is not None:
        raise UsageMistake("--conversation and --continue exclude each other", hint="Give only one.")
    if no_record and (go_on or conversation is not None):
        raise UsageMistake(
            "a conversation stores what is said, and --no-record stores nothing", hint="Give only one of them."
        )


@dataclass(slots=True)
class _Question(NewRun):
    """Going on with a model that was named for an earlier question, and costs, needs a yes."""

    asking: Asking

    async def start(self, consent: Consent, listener: RunListener) -> RunResult:
        from llm_orc.app.conversations.partner import keep_choices

        def planned(plan: AccessPlan) -> None:
            if not consent.allow_metered and not self.options.rehearse:
                conversation = self.asking.conversation or ""
                self.asking.partner.refuse_unasked_bill(plan, conversation, consent.agreed)
            if self.asking.conversation is not None and self.recorded and not self.options.rehearse:
                keep_choices(self.app, self.asking.partner, self.asking.conversation, begin=True)
            listener.planned(plan)

        return await NewRun.start(self, consent, replace(listener, planned=planned))
