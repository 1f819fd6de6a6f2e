"""Resume a run that was interrupted, killed, or had failures: finished agents are not asked again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from llm_orc.agents.spec import WhenFull
from llm_orc.app.access.bills.agreements import with_agreements
from llm_orc.app.access.consent import Consent, with_consent
from llm_orc.app.access.explain import preview_recipe
from llm_orc.app.projects.nested import nested_in
from llm_orc.app.runs.execute import Attempt, execute_recipe
from llm_orc.app.runs.plan_limits import plans_used_up, refuse_before_reset
from llm_orc.app.runs.request import RunLimits, RunListener
from llm_orc.app.runs.running import is_running
from llm_orc.dataclass import dataclass
from llm_orc.errors import EnsembleInvalid, RunNotFound, RunNotResumable
from llm_orc.runs.reader import Reader
from llm_orc.runs.recipe import encode_ensemble, find_run, load_run

if TYPE_CHECKING:
    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.runs.runtime import Runtime
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.runs.recipe import Recipe, RecordedRun
    from llm_orc.runs.results import RunResult


@dataclass(frozen=True, slots=True)
class ResumeOptions:
    """`run` None: the newest unfinished run that is no turn of a chat; else an id, an unambiguous part of one, or
    `last`.
    """

    run: str | None = None
    limits: RunLimits = RunLimits()  # of the whole run from now on, with what is spent; None: as it was
    consent: Consent = Consent()
    when_full: WhenFull | None = None  # where the run's conversation no longer fits; None: as it was
    in_chat: bool = False  # asked by the chat that the run is a turn of
    now: bool = False  # call a plan that is used up, whatever its reset time


async def resume_run(
    app: App,
    options: ResumeOptions,
    listener: RunListener = RunListener(),
    *,
    runtime: Runtime | None = None,
) -> RunResult:
    """Finish the run and return its whole result; the events so far are shown first.

    A run that has completed is shown as it is. Raises `RunNotFound`, `RunNotResumable` (it is going on in another
    process), `PlanLimitReached` (the plan is used up until later, and this is not to wait), and whatever
    `run_ensemble` raises.
    """
    run = await asyncio.to_thread(_load, app, options.run)
    state = run.state
    if state.finished is not None and state.finished.status == "completed":
        reader = Reader(listener.show)
        for event in run.events:
            reader.show(event)
        return state.result()
    if run.recipe.is_chat and not options.in_chat:
        raise RunNotResumable(
            f"run `{run.row.run_id}` is a turn of a chat, which may have gone on since",
            hint=_ask_again(run.recipe),
        )
    if (changed := _changed_file(app, run)) is not None:
        listener.waiting(
            f"`{changed}` has changed since this run began. The run goes on as it began; a new one takes the file"
            f" as it is: llm-orc invoke {quote(run.recipe.ensemble.name)}"
        )
    limits, before = options.limits, run.recipe
    waits = app.settings.runs.wait_for_plan if limits.wait_for_plan is None else limits.wait_for_plan
    used_up = () if options.now else plans_used_up(state, app.clock.now())
    if not waits:
        used_up = tuple(one for one in used_up if one.is_told)  # another one may be called, to see
        if not options.in_chat:
            refuse_before_reset(used_up, run.row.run_id)
    recipe = replace(
        with_consent(before, with_agreements(app, before.ensemble, options.consent)),
        when_full=before.when_full if options.when_full is None else options.when_full,
        wait_for_plan=waits,
    ).with_ceilings(limits.ceilings.over(before.ceilings))
    attempt = Attempt(recipe, run.row.run_id, earlier=run, used_up=used_up)
    return await execute_recipe(app, attempt, limits, listener, runtime=runtime)


async def preview_resume(app: App, options: ResumeOptions) -> tuple[Ensemble, AccessPlan]:
    """Return the run's ensemble, and what the rest of the run would use if the user agreed to pay."""
    run = await asyncio.to_thread(_load, app, options.run)
    return run.recipe.ensemble, await preview_recipe(app, run.recipe, run.state.outputs)


def _changed_file(app: App, run: RecordedRun) -> str | None:
    """Return the ensemble's file where it, or one that it runs, no longer says what the run was started with."""
    source = run.recipe.ensemble.source
    if source is None or source.place == "packaged":
        return None
    try:
        parsed = app.library.load(Path(source.path), source.place)
    except EnsembleInvalid:
        return source.path
    began = encode_ensemble(run.recipe.ensemble)
    now = (  # whether it was trusted when the run began or not
        nested_in(app, parsed),
        nested_in(app, parsed.when_trusted(), as_if_trusted=True),
    )
    return None if began in [encode_ensemble(one.ensemble) for one in now] else source.path


def _load(app: App, wanted: str | None) -> RecordedRun:
    journal = app.open_journal()
    try:
        if wanted is not None:
            return load_run(journal, find_run(journal, wanted))
        for run_id in journal.newest_unfinished("ensemble"):
            if not is_running(app, run_id):
                return load_run(journal, run_id)
    finally:
        journal.close()
    raise RunNotFound("there is no unfinished run", hint="llm-orc runs list")


def _ask_again(recipe: Recipe) -> str:
    """Say how to ask a turn of a chat again. Without a conversation there is nothing that it could go on with."""
    if recipe.conversation:
        return f"Ask again there with `/retry`: `llm-orc chat --conversation {quote(recipe.conversation)}`."
    return f"Ask again in a chat: `llm-orc chat {quote(recipe.ensemble.name)}`."
