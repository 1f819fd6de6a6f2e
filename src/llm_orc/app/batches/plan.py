"""A batch before it starts: its inputs as rows, its id, the access of every agent, and what it may cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from llm_orc.app.access.choices import choices_of
from llm_orc.app.access.consent import Consent
from llm_orc.app.access.estimate import estimate
from llm_orc.app.access.models import Estimate, plan_of
from llm_orc.app.batches.admin import find_batch, stored_batch
from llm_orc.app.batches.inputs import Shaping, make_tasks
from llm_orc.app.batches.placeholders import placeholders
from llm_orc.app.batches.prompts import longest_additions, prompts_with_columns, with_own_columns
from llm_orc.app.runs.budget import most_of_any, refuse_unknown_price
from llm_orc.app.runs.run import lowest
from llm_orc.app.runs.runtime import Choices, Runtime, Terms
from llm_orc.batches.batch import BatchLimits, NewRow, batch_id_of
from llm_orc.errors import InputError
from llm_orc.providers.lookup import find_provider
from llm_orc.runs.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.agents.choice import ModelChoice
    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.batches.input_lines import Input
    from llm_orc.app.batches.inputs import Task
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
    most_usd: float = 0.0  # that one try of a call can cost


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
    most_usd: float = 0.0  # that one try of a call can cost


def prepare_batch(app: App, ensemble: Ensemble, inputs: Sequence[Input], options: BatchOptions) -> Submission:
    """Turn inputs into rows and give the batch its id. Raises `InputError`, `ProfileNotFound`, `SettingsError`."""
    template = options.shaping.template
    if template is None and ensemble.default_task is not None and placeholders(ensemble.default_task):
        template = ensemble.default_task
    choices = choices_of(ensemble, app.settings)
    shaping = replace(options.shaping, template=template, prompts=prompts_with_columns(choices))
    tasks = make_tasks(inputs, shaping)
    recipe = Recipe(
        # Rows know nothing of each other. Limits are the batch's, so that they can be changed.
        ensemble=replace(ensemble, conversation=None, max_cost_usd=None, max_calls=None),
        task="",
        choices=with_own_columns(choices, shaping.columns),
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
    of_id = replace(recipe, choices={name: _by_default(app, found) for name, found in recipe.choices.items()})
    batch_id = batch_id_of(of_id, rows, app.new_run_id() if options.again else "")
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
        recipe = replace(recipe, choices=_named_as_now(known.recipe.choices, recipe.choices))
    waiting = len(tasks) if known is None else known.to_do
    added = longest_additions(recipe.choices, (row.fields or {} for row in submission.rows))
    to_do = _ToDo(waiting, max(tasks, key=len, default=""), added)
    ready, most_usd = await _plan(app, recipe, submission.limits, to_do, planned)
    return replace(submission, recipe=ready, most_usd=most_usd)


def _named_as_now(kept: Choices, now: Choices) -> Choices:
    """Return the models as they were kept, by whose word they are now: trust may have been given or taken back."""
    return {agent: tuple(_named_as(choice, now[agent]) for choice in choices) for agent, choices in kept.items()}


def _named_as(kept: ModelChoice, now: tuple[ModelChoice, ...]) -> ModelChoice:
    """What is not among them any more is an untrusted word where any of them is one."""
    untrusted = next((choice for choice in now if choice.named_by == "project"), now[0])
    same = next((choice for choice in now if choice.profile == kept.profile), untrusted)
    return replace(kept, named_by=same.named_by, named_in=same.named_in)


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
    if known.batch.kept < known.batch.total:
        raise InputError(
            f"batch `{batch_id}` was stopped while its inputs were kept: {known.batch.kept:,} of"
            f" {known.batch.total:,} are there",
            hint=f"The command that began it goes on, over `{known.batch.inputs}`: llm-orc batch"
            f" {known.batch.ensemble} --inputs …",
        )
    limits = replace(
        kept,
        max_cost_usd=kept.max_cost_usd if wanted.max_cost_usd is None else wanted.max_cost_usd,
        max_calls=kept.max_calls if wanted.max_calls is None else wanted.max_calls,
    )
    recipe = replace(known.recipe, allow_metered=wanted.allow_metered or known.recipe.allow_metered)
    rows = known.to_do + (known.failed if wanted.failed else 0)
    added = known.added
    recipe, most_usd = await _plan(app, recipe, limits, _ToDo(rows, known.longest_task, added), planned)
    return Going(batch_id, recipe, limits, most_usd)


@dataclass(frozen=True, slots=True)
class _ToDo:
    """What is left to do of a batch. `added` are the characters that a row puts into system prompts at most."""

    rows: int
    longest_task: str
    added: Mapping[str, int]


async def _plan(
    app: App,
    recipe: Recipe,
    limits: BatchLimits,
    to_do: _ToDo,
    planned: Callable[[AccessPlan, int], None],
) -> tuple[Recipe, float]:
    """Return the recipe with nothing left open, and the most that one try of a call can cost."""
    async with Runtime(app) as runtime:
        terms = Terms(Consent(recipe.allow_metered).paying, recipe.rehearsal)
        models = await runtime.models_for(recipe.choices, terms)
    ready, candidates = models.ready, models.candidates
    refuse_unknown_price(lowest(limits.max_cost_usd, limits.row_max_cost_usd), ready)
    one = partial(estimate, replace(recipe, task=to_do.longest_task), ready.by_agent, to_do.added)
    planned(replace(plan_of(app, recipe.ensemble, ready), estimate=lambda: _times(one(), to_do.rows)), to_do.rows)
    choices = {agent: tuple(model.choice for model in found) for agent, found in ready.by_agent.items()}
    most_usd = most_of_any(replace(recipe, task=to_do.longest_task), candidates, to_do.added)
    return replace(recipe, choices=choices), most_usd


def _times(one: Estimate | None, rows: int) -> Estimate | None:
    if one is None or not rows:
        return None
    likely = None if one.likely_usd is None else one.likely_usd * rows
    most = None if one.most_usd is None else one.most_usd * rows
    return Estimate(one.calls * rows, likely, most)
