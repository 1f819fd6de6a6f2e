"""`llm-orc compare`: an ensemble with several models, beside each other."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from functools import partial, reduce
from typing import TYPE_CHECKING, Unpack

import click

from llm_orc.agents.choice import NamedModel
from llm_orc.agents.named_models import NamedModels
from llm_orc.cli.run.plain_view import finished_words, plain_words
from llm_orc.cli.run.task_input import instruction_of, read_task, task_options
from llm_orc.cli.shell.access_lines import access_lines
from llm_orc.cli.shell.arguments import EnsembleName, ModelName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.consent import Costly, ask_to_pay
from llm_orc.cli.shell.input.given_files import attach_option, read_given
from llm_orc.cli.shell.options import (
    RunLimitOptions,
    app_here,
    compared_limit_options,
    json_option,
    limits_of,
    set_option,
    write_json,
)
from llm_orc.cli.shell.output.side_by_side import figures_table, texts_side_by_side
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.cli.shell.process.stop_signals import INTERRUPTED, stopped_by, stopping
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.engine.events import AgentDelta, AgentFailed, AgentFinished, RunFinished
from llm_orc.errors import InputError, MeteredNotAllowed
from llm_orc.formats.comparison import figures_value
from llm_orc.formats.figures import count, seconds
from llm_orc.formats.json_result import result_value
from llm_orc.formats.json_values import error_info_value
from llm_orc.formats.printable import one_line
from llm_orc.net.event_loop import run_to_end
from llm_orc.runs.costs import CallsBefore

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence

    from llm_orc.app.access.models import AccessPlan, Estimate
    from llm_orc.app.runs.compare_models import Side
    from llm_orc.app.runs.run import RunOptions
    from llm_orc.app.wiring import App
    from llm_orc.engine.events import RunEvent
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.jsontypes import JsonValue

_MOST = 8
_OWN = "its own models"


@define_command({0: "every run completed", 1: "a run failed, or some of its agents did"})
@click.argument("ensemble_name", metavar="ENSEMBLE", type=EnsembleName())
@task_options
@set_option
@attach_option
@click.option(
    "-m",
    "--model",
    "models",
    metavar="MODEL",
    multiple=True,
    required=True,
    type=ModelName(),
    help="A model for every agent of one run: a profile, a provider, PROVIDER/MODEL or a model's name;"
    " repeatable. With a single one, it is compared with ENSEMBLE as it is.",
)
@click.option("--rehearse", is_flag=True, help="Complete runs on canned answers, for free; no model is called.")
@json_option
@click.option("-q", "--quiet", is_flag=True, help="Show only errors while they run.")
@compared_limit_options
def command(
    *,
    ensemble_name: str,
    task: str | None,
    text: str | None,
    input_files: tuple[str, ...],
    given: dict[str, str],
    attached: tuple[str, ...],
    models: tuple[str, ...],
    rehearse: bool,
    as_json: bool,
    quiet: bool,
    **limits: Unpack[RunLimitOptions],
) -> int:
    """Run ENSEMBLE with each MODEL at the same time, and show answers, time, tokens and cost beside each other.

    The task is given as for `invoke`. Consent and --max-cost are for all runs together; --timeout, --max-calls and
    --max-concurrent are for each. `runs show RUN --all` shows a run whole, and `runs diff` what differs.

    \b
    llm-orc compare panel -m ollama/llama3.2 -m openai/gpt-5.5 "Worth a seed round?"
    git diff | llm-orc compare review -m fast "Look at the locking"
    """
    from llm_orc.app.access.consent import Consent
    from llm_orc.app.projects.find_ensemble import find_ensemble
    from llm_orc.app.runs.run import RunOptions

    instruction = instruction_of(task, text)
    app = app_here()
    sides = _sides(models, app.settings.runs.profile or app.settings.runs.model or _OWN)
    ensemble = find_ensemble(app, ensemble_name, note, models=sides[0].models)
    inputs, files = read_given(app, ensemble, given, attached, *input_files)
    missing = InputError(
        f"there is no task for `{ensemble.name}`",
        hint='Give one after the ensemble\'s name (`"…"`), a file (`-f FILE`) or a pipe.',
    )
    default = "" if ensemble.task == "none" else ensemble.default_task
    options = RunOptions(
        read_task(instruction, input_files, default=default, missing=missing),
        limits_of(limits),
        Consent(limits["allow_metered"]),
        rehearse=rehearse,
        inputs=inputs,
        given=files,
    )
    code = _run(app, ensemble, options, sides, quiet=quiet)
    if as_json:
        write_json(_value(ensemble, sides))
    else:
        write_data("".join(_parts(sides)))
    return code or max((side.exit_code for side in sides), default=0)


def _sides(models: Sequence[str], usual: str) -> list[Side]:
    """Return a side for each model; for a single one, also what a run would use without it."""
    from llm_orc.app.runs.compare_models import Side

    if len(set(models)) < len(models):
        raise UsageMistake("--model names the same model twice", hint="Name different ones.")
    if len(models) > _MOST:
        raise UsageMistake(f"at most {_MOST} models can be compared at once")
    own = [Side(usual)] if len(models) == 1 else []
    return [*own, *(Side(text, NamedModels(NamedModel(text, "--model"))) for text in models)]


def _run(app: App, ensemble: Ensemble, options: RunOptions, sides: Sequence[Side], *, quiet: bool) -> int:
    """Run to the end, or until it is stopped; return the exit code of a stop, else 0. Asks for consent."""
    from llm_orc.app.runs.compare_models import ComparisonListener, compare_models

    def planned(side: Side, plan: AccessPlan) -> None:
        note(f"{side.name}:")
        for line in access_lines(plan):
            note(f"  {line}")

    listener = ComparisonListener(waiting=note)
    if not quiet:
        listener = ComparisonListener(planned, _Progress().say, note)
    while True:
        stop = _Stop()
        try:
            run_to_end(stop.watch(compare_models(app, ensemble, options, sides, listener)))
        except (KeyboardInterrupt, asyncio.CancelledError):
            _say_what_is_kept(sides, stop.exit_code)
            return stop.exit_code
        except MeteredNotAllowed as refusal:
            costly = partial(_costly, app, ensemble, options, sides)
            consent = options.consent
            agreed = None if consent.includes(refusal) else ask_to_pay(app, refusal, costly, consent)
            if agreed is None:
                raise
            options = replace(options, consent=agreed)
        else:
            return 0


def _costly(app: App, ensemble: Ensemble, options: RunOptions, sides: Sequence[Side]) -> Costly:
    return Costly(count(len(sides), "run"), run_to_end(_planned_of_all(app, ensemble, options, sides)), ensemble)


async def _planned_of_all(app: App, ensemble: Ensemble, options: RunOptions, sides: Sequence[Side]) -> AccessPlan:
    """Return what all runs together would use after a yes, with an estimate of what they would cost."""
    from llm_orc.app.access.explain import preview_run

    inputs = options.inputs
    plans = [await preview_run(app, ensemble, options.task or "", side.models, inputs) for side in sides]

    def estimate() -> Estimate | None:
        known = [found for plan in plans if (found := plan.estimate()) is not None]
        return reduce(lambda one, other: one.plus(other), known) if known else None

    notices = dict.fromkeys(notice for plan in plans for notice in plan.notices)
    agents = tuple(a for plan in plans for a in plan.agents)
    return replace(plans[0], agents=agents, notices=tuple(notices), estimate=estimate)


class _Stop:
    """Ends the runs in good order when a signal comes."""

    def __init__(self) -> None:
        self.exit_code = INTERRUPTED

    async def watch(self, running: Coroutine[object, object, None]) -> None:
        task = asyncio.current_task()

        def stop(exit_code: int) -> None:
            self.exit_code = exit_code
            if task is not None:
                task.cancel()

        with stopping(stop):
            await running


class _Progress:
    """Says what happens in each run, and the reason of a failure once: the agents of a run share their model."""

    def __init__(self) -> None:
        self._reasons: set[tuple[str, str]] = set()
        self._calls: defaultdict[str, CallsBefore] = defaultdict(CallsBefore)

    def say(self, side: Side, event: RunEvent) -> None:
        if isinstance(event, AgentDelta):
            return
        self._calls[side.name].apply(event)
        words = plain_words(event)
        if isinstance(event, AgentFinished):
            words = finished_words(event, self._calls[side.name])
        if isinstance(event, RunFinished):
            words = f"{event.status} after {seconds(event.duration_s)}"
        if isinstance(event, AgentFailed):
            reason = (side.name, event.error.message)
            words = f"{one_line(event.agent)}: failed, for the same reason" if reason in self._reasons else words
            self._reasons.add(reason)
        if words:
            note(f"{side.name}: {words}")


def _say_what_is_kept(sides: Sequence[Side], exit_code: int) -> None:
    finished = sum(side.state.finished is not None for side in sides)
    note(f"\nStopped by {stopped_by(exit_code)}: {finished} of {count(len(sides), 'run')} had finished.")
    for side in sides:
        if side.state.started is not None and side.state.finished is None and side.result and side.result.recorded:
            note(f"Resume {side.name} with: llm-orc resume {side.state.started.run_id}")


def _parts(sides: Sequence[Side]) -> Iterator[str]:
    """Yield the table, what went wrong, and the answers."""
    runs = [(side.name, side.result) for side in sides if side.result is not None]
    if runs:
        yield figures_table(runs)
    for side in sides:
        yield from _failures(side)
    answers = [(name, result.answer) for name, result in runs if result.answer is not None]
    if answers:
        yield "\n" + texts_side_by_side([(name, answer or "") for name, answer in answers])


def _failures(side: Side) -> Iterator[str]:
    """Yield a line for each reason why the run or agents of it failed, with all those agents."""
    agents = side.result.agents if side.result is not None else ()
    failed: dict[str, list[str]] = {}
    for agent in agents:
        if agent.error is not None:
            failed.setdefault(agent.error.message, []).append(agent.name)
    error = side.error or (side.result.error if side.result is not None else None)
    if error is not None and error.message not in failed:
        yield one_line(f"{side.name}: {error.code}: {error.message}") + "\n"
    for reason, names in failed.items():
        yield one_line(f"{side.name}: {', '.join(names)}: {reason}") + "\n"


def _value(ensemble: Ensemble, sides: Sequence[Side]) -> JsonValue:
    return {
        "ensemble": ensemble.name,
        "runs": [
            {
                "model": None if side.models.model is None else side.models.model.text,
                "figures": None if side.result is None else figures_value(side.result),
                "error": error_info_value(side.error),
                "result": None if side.result is None else result_value(side.result),
            }
            for side in sides
        ],
    }
