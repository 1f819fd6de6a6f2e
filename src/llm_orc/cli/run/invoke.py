"""`llm-orc invoke`: run an ensemble on a task."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import click

from llm_orc.cli.run.new_run import NewRun
from llm_orc.cli.run.task_input import instruction_of, read_task, task_options
from llm_orc.cli.shell.arguments import EnsembleName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.input.given_files import attach_option, read_given
from llm_orc.cli.shell.model_options import model_options, named_models
from llm_orc.cli.shell.options import (
    RunningOptions,
    app_here,
    cache_options,
    caching_of,
    conversation_asked,
    conversation_options,
    limits_of,
    running_options,
    set_option,
)
from llm_orc.cli.shell.output.files import refuse_to_replace
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.output_options import output_of
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.errors import InputError

if TYPE_CHECKING:
    from llm_orc.agents.spec import WhenFull

_GIVE_ONE = (
    'Give one (`llm-orc invoke NAME "…"`), a file (`-f FILE`) or a pipe, or set `default_task` in the ensemble.'
)


@define_command()
@click.argument("ensemble_name", metavar="ENSEMBLE", type=EnsembleName())
@task_options
@set_option
@attach_option
@click.option("--rehearse", is_flag=True, help="A complete run on canned answers, for free; no model is called.")
@click.option("--no-record", is_flag=True, help="Store nothing of this run; it can't be resumed then.")
@model_options
@conversation_options
@cache_options
@running_options
def command(
    *,
    ensemble_name: str,
    task: str | None,
    text: str | None,
    input_files: tuple[str, ...],
    given: dict[str, str],
    attached: tuple[str, ...],
    rehearse: bool,
    no_record: bool,
    model: str | None,
    profile: str | None,
    agent_models: dict[str, str],
    conversation: str | None,
    go_on: bool,
    forget: bool,
    when_full: WhenFull | None,
    no_cache: bool,
    refresh_cache: bool,
    **running: Unpack[RunningOptions],
) -> int:
    """Run ENSEMBLE, a name from `llm-orc list-ensembles` or a YAML file, on a task.

    What is piped in and files (-f) go along with TASK as marked parts, or are the task if there is no TASK.
    Without any of them it is the ensemble's `default_task`. The ensemble's answer goes to standard output, or that
    of --agent, or with --all those of all agents; everything else goes to standard error.

    \b
    llm-orc invoke panel "Is this startup worth a seed round?"
    git diff | llm-orc invoke review "Look at the locking" > review.md
    llm-orc invoke review -f old.py -f new.py "What has changed?"
    llm-orc invoke panel --conversation seed-round "And if they grow by half?"
    llm-orc invoke translate --set language=Deutsch --set text=@letter.txt
    llm-orc invoke describe --attach photo.png "What is on it?"
    llm-orc invoke panel -m ollama/llama3.2 --agent-model chair=fast
    llm-orc invoke ./panel.yaml --rehearse
    """
    from llm_orc.app.access.consent import Consent
    from llm_orc.app.projects.find_ensemble import find_ensemble
    from llm_orc.app.runs.run import RunOptions
    from llm_orc.cli.run.carry_out import carry_out

    instruction = instruction_of(task, text)
    output = output_of(running, *input_files, *attached)
    asked = conversation_asked(conversation=conversation, go_on=go_on, forget=forget, when_full=when_full)
    if no_record and (asked.name or asked.go_on):
        raise UsageMistake(
            "a conversation stores what is said, and --no-record stores nothing", hint="Give only one of them."
        )
    models = named_models(model, profile, agent_models)
    app = app_here()
    ensemble = find_ensemble(app, ensemble_name, note, models=models)
    refuse_to_replace(output.file, ensemble.source.path if ensemble.source else None)
    inputs, files = read_given(app, ensemble, given, attached, *input_files)
    missing = InputError(f"there is no task for `{ensemble.name}`", hint=_GIVE_ONE)
    default = "" if ensemble.task == "none" else ensemble.default_task
    whole = read_task(instruction, input_files, default=default, missing=missing)
    recorded = app.settings.runs.record and not no_record
    if no_record and ensemble.conversation is not None:
        note(f"With --no-record the agents don't see the conversation `{ensemble.conversation}`.")
        asked = replace(asked, forget=True)

    options = RunOptions(
        whole,
        limits_of(running),
        rehearse=rehearse,
        caching=caching_of(no_cache=no_cache, refresh_cache=refresh_cache),
        record=recorded,
        conversation=asked,
        inputs=inputs,
        models=models,
        given=files,
    )
    return carry_out(NewRun(app, ensemble, options, recorded), Consent(running["allow_metered"]), output)
