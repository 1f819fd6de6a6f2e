"""A batch before it starts: its inputs as rows, its id, the access of every agent, and what it may cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.app.access import Estimate
from llm_orc.app.batch_inputs import Shaping, make_tasks, placeholders
from llm_orc.app.batches import find_batch, stored_batch
from llm_orc.app.choices import choices_of
from llm_orc.app.conduct import refuse_unknown_price
from llm_orc.app.estimate import estimate
from llm_orc.app.run_ensemble import lowest
from llm_orc.app.session import Session
from llm_orc.durable.batch import BatchLimits, NewRow, batch_id_of
from llm_orc.errors import InputError
from llm_orc.providers.catalog import find_provider
from llm_orc.runs.resume import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.agents.choice import ModelChoice
    from llm_orc.app.access import AccessPlan
    from llm_orc.app.batch_inputs import Input, Task
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What the person asked for. None: as the settings say, or without a limit."""

    inputs: str  # where they came from, for people
    shaping: Shaping = field(default_factory=Shaping)
    store: str | None = None
    allow_metered: bool = False
    rehearse: bool = False
    again: bool = False  # a batch of its own, though the same one was run before
    rows_at_once: int | None = None
    max_cost_usd: float | None = None
    max_calls: int | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """A batch that is ready to be kept: its recipe, its rows, and its limits."""

    batch_id: str
    recipe: Recipe
    rows: Sequence[NewRow]
    limits: BatchLimits
    options: BatchOptions


@dataclass(frozen=True, slots=True)
class Wanted:
    """A batch to go on with, with `failed` its failed rows too. A limit that is None stays as it was."""

    batch: str  # its id, the beginning of it, or `last`
    store: str | None = None
    allow_metered: bool = False
    failed: bool = False
    rows_at_once: int | None = None
    max_cost_usd: float | None = None
    max_calls: int | None = None


@dataclass(frozen=True, slots=True)
class Going:
    """A batch that is kept and goes on: its recipe as it is now, and its limits."""

    batch_id: str
    recipe: Recipe
    limits: BatchLimits


def prepare_batch(app: App, ensemble: Ensemble, inputs: Sequence[Input], options: BatchOptions) -> Submission:
    """Turn inputs into rows and give the batch its id. Raises `InputError`, `ProfileNotFound`, `SettingsError`."""
    template = options.shaping.template
    if template is None and ensemble.default_task is not None and placeholders(ensemble.default_task):
        template = ensemble.default_task
    tasks = make_tasks(inputs, replace(options.shaping, template=template))
    recipe = Recipe(
        # Rows know nothing of each other. Limits are the batch's, so that they can be changed.
        ensemble=replace(ensemble, conversation=None, max_cost_usd=None, max_calls=None),
        task="",
        choices=choices_of(ensemble, app.settings),
        allow_metered=options.allow_metered,
        rehearsal=options.rehearse,
        timeout_s=app.settings.runs.timeout_s,
    )
    limits = BatchLimits(
        max_cost_usd=options.max_cost_usd,
        max_calls=options.max_calls,
        row_max_cost_usd=lowest(app.settings.runs.max_cost_usd, ensemble.max_cost_usd),
        row_max_calls=lowest(app.settings.runs.max_calls, ensemble.max_calls),
    )
    rows = [_new_row(task) for task in tasks]
    shaping = replace(recipe, choices={name: _by_default(app, found) for name, found in recipe.choices.items()})
    batch_id = batch_id_of(shaping, rows, app.new_run_id() if options.again else "")
    return Submission(batch_id, recipe, rows, limits, options)


def _by_default(app: App, choices: tuple[ModelChoice, ...]) -> tuple[ModelChoice, ...]:
    """Put in the models that the settings name where the choice names none: another one is another batch."""
    providers = app.settings.providers
    return tuple(
        replace(choice, model=find_provider(choice.provider, providers).default_model)
        if choice.model is None and choice.provider is not None
        else choice
        for choice in choices
    )


def _new_row(task: Task) -> NewRow:
    return NewRow(task.number, task.line, task.task, task.label, task.fields, task.error)


async def plan_batch(app: App, submission: Submission, planned: Callable[[AccessPlan, int], None]) -> Submission:
    """Find the access of every agent before anything is kept or spent, and show it. Raises for all at once.

    A batch that is there already goes on with the models that it has.
    """
    recipe, tasks = submission.recipe, [row.task for row in submission.rows if row.error is None]
    known = stored_batch(app, submission.options.store, submission.batch_id)
    if known is not None:
        recipe = replace(recipe, choices=known.recipe.choices)
    waiting = len(tasks) if known is None else known.to_do
    ready = await _plan(app, recipe, submission.limits, (waiting, max(tasks, key=len, default="")), planned)
    return replace(submission, recipe=ready)


async def plan_going(app: App, wanted: Wanted, planned: Callable[[AccessPlan, int], None]) -> Going:
    """The same for a batch that is kept: for its rows that wait, or were cancelled.

    Raises `BatchNotFound`, and `InputError` where the failed rows of a cancelled batch are wanted.
    """
    known = find_batch(app, wanted.batch, wanted.store)
    batch_id, kept = known.batch.batch_id, known.batch.limits
    if wanted.failed and known.batch.state == "cancelled":
        raise InputError(
            f"batch `{batch_id}` was cancelled",
            hint=f"Go on with the whole of it: llm-orc batch resume {batch_id}",
        )
    limits = replace(
        kept,
        max_cost_usd=kept.max_cost_usd if wanted.max_cost_usd is None else wanted.max_cost_usd,
        max_calls=kept.max_calls if wanted.max_calls is None else wanted.max_calls,
    )
    recipe = replace(known.recipe, allow_metered=wanted.allow_metered or known.recipe.allow_metered)
    rows = known.to_do + (known.failed if wanted.failed else 0)
    recipe = await _plan(app, recipe, limits, (rows, known.longest_task), planned)
    return Going(batch_id, recipe, limits)


async def _plan(
    app: App,
    recipe: Recipe,
    limits: BatchLimits,
    tasks: tuple[int, str],
    planned: Callable[[AccessPlan, int], None],
) -> Recipe:
    """Return the recipe with nothing left open. `tasks`: how many there are, and the longest."""
    rows, longest = tasks
    async with Session(
        app, allow_metered=recipe.allow_metered, rehearsal=recipe.rehearsal, stream=False
    ) as session:
        ready, _ = await session.models_for(recipe.choices)
    refuse_unknown_price(lowest(limits.max_cost_usd, limits.row_max_cost_usd), ready)
    one = partial(estimate, replace(recipe, task=longest), ready.by_agent, {})
    planned(replace(ready.plan, estimate=lambda: _times(one(), rows)), rows)
    choices = {agent: tuple(model.choice for model in found) for agent, found in ready.by_agent.items()}
    return replace(recipe, choices=choices)


def _times(one: Estimate | None, rows: int) -> Estimate | None:
    if one is None or not rows:
        return None
    likely = None if one.likely_usd is None else one.likely_usd * rows
    most = None if one.most_usd is None else one.most_usd * rows
    return Estimate(one.calls * rows, likely, most)
