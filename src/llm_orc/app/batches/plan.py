"""Plan a batch before it starts: its rows, its id, the access of every agent, and what it may cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.agents.budgets.ceilings import NO_MOST, Most
from llm_orc.agents.references.names import INDEX
from llm_orc.agents.references.render import fill_in_plainly
from llm_orc.agents.references.scope import Scope
from llm_orc.agents.saving.path import same_file_key
from llm_orc.agents.uses.graph import names_of
from llm_orc.app.access.bills.agreements import with_agreements
from llm_orc.app.access.bills.estimate import estimate
from llm_orc.app.access.choices import choices_of
from llm_orc.app.access.consent import consent_of, unattended, with_consent
from llm_orc.app.access.models import Estimate, plan_of
from llm_orc.app.batches.admin import find_batch, stored_batch
from llm_orc.app.batches.inputs import make_tasks
from llm_orc.app.batches.mapped_inputs import input_columns
from llm_orc.app.batches.placeholders import placeholders, with_placeholders
from llm_orc.app.batches.prompts import (
    columns_of_older_spelling,
    longest_additions,
    prompts_with_columns,
    refuse_mixed,
    with_own_columns,
)
from llm_orc.app.batches.store import batch_store_url, caller_of
from llm_orc.app.files.check import check_files
from llm_orc.app.files.given import FILE_TYPES, check_given, named_files
from llm_orc.app.files.read import FileReader
from llm_orc.app.files.rows import Fields, with_files
from llm_orc.app.projects.programs import refuse_programs
from llm_orc.app.runs.inputs import given_inputs
from llm_orc.app.runs.limits.budget import most_of_any
from llm_orc.app.runs.limits.refusals import refuse_unknown_most, unlimited_notices
from llm_orc.app.runs.run import usual_ceilings
from llm_orc.app.runs.runtime import Choices, Runtime, Terms
from llm_orc.batches.batch import BatchLimits, NewRow, batch_id_of
from llm_orc.batches.row_inputs import inputs_of_row
from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError
from llm_orc.providers.lookup import find_provider
from llm_orc.runs.recipe import Recipe

if TYPE_CHECKING:
    from llm_orc.agents.choice import ModelChoice
    from llm_orc.app.access.consent import Caller
    from llm_orc.app.access.models import AccessPlan, Models
    from llm_orc.app.batches.input_lines import Input
    from llm_orc.app.batches.inputs import Task
    from llm_orc.app.batches.request import BatchOptions, RequestedLimits, ResumeRequest
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble


@dataclass(frozen=True, slots=True)
class Submission:
    """A batch that is ready to be stored."""

    batch_id: str
    recipe: Recipe
    rows: Sequence[NewRow]
    limits: BatchLimits
    options: BatchOptions
    ensemble: Ensemble  # as its file has it
    most: Most = NO_MOST
    contents: Mapping[str, Callable[[], bytes]] = field(default_factory=dict, repr=False)  # of files, by SHA-256
    older_columns: tuple[str, ...] = ()  # those that system prompts name in the older spelling, `{{column}}`


@dataclass(frozen=True, slots=True)
class PlannedResume:
    """A stored batch that is ready to be resumed, with its present recipe and limits."""

    batch_id: str
    recipe: Recipe
    limits: BatchLimits
    most: Most = NO_MOST
    ensemble: None = None  # its file may say something else today


def prepare_batch(app: App, ensemble: Ensemble, inputs: Sequence[Input], options: BatchOptions) -> Submission:
    """Turn inputs into rows and give the batch its id. Raises `InputError`, `ProfileNotFound`, `SettingsError`."""
    check_given(ensemble, options.values, options.given)
    reader = FileReader(app)
    named = named_files(ensemble, reader)
    columns = {old: new for old, new in options.shaping.columns.items() if new not in options.values}
    taken, contents = with_files(app, ensemble, [one.fields for one in inputs], columns, _folder_of(app, options))
    inputs = [_with(one, fields, why) for one, (fields, why) in zip(inputs, taken, strict=True)]
    own = {**options.given.contents, **reader.contents}
    contents |= {sha256: partial(bytes, data) for sha256, data in own.items()}
    template, default_task = options.shaping.template, ensemble.default_task
    if template is None and default_task is not None and placeholders(with_placeholders(default_task)):
        template = default_task
    refuse_mixed(ensemble)
    if not options.rehearse:
        refuse_programs(app, ensemble)
    choices = choices_of(ensemble, app.settings, options.models)
    consent = with_agreements(app, ensemble, options.consent)
    waits = options.limits.wait_for_plan
    recipe = Recipe(
        # A row has no conversation with others. Limits belong to the batch, so that they can be changed.
        ensemble=replace(ensemble, conversation=None, max_cost_usd=None, max_calls=None, max_total_tokens=None),
        task="",
        choices=with_own_columns(choices, options.shaping.columns),
        allow_metered=consent.allow_metered,
        agreed=tuple(sorted(consent.agreed)),
        plans=tuple(sorted(consent.plans)),
        rehearsal=options.rehearse,
        timeout_s=app.settings.runs.timeout_s,
        wait_for_plan=app.settings.runs.wait_for_plan if waits is None else waits,
        inputs=given_inputs(ensemble, options.values),
        input_columns=input_columns(ensemble, inputs, options),
        caching=options.caching,
        named_files=named,
    )
    shaping = replace(
        options.shaping,
        template=None if template is None else with_placeholders(template),
        prompts=prompts_with_columns(choices),
        takes_task=ensemble.task != "none",
        default_task=ensemble.default_task,
        inputs=partial(inputs_of_row, recipe),
        input_columns=frozenset(recipe.input_columns),
    )
    tasks = make_tasks(inputs, shaping)
    _refuse_same_files(recipe, tasks)
    of_row = usual_ceilings(app).lowest([ensemble.ceilings])
    of_a_row = BatchLimits(
        row_max_cost_usd=of_row.max_cost_usd,
        row_max_calls=of_row.max_calls,
        row_max_total_tokens=of_row.max_total_tokens,
    )
    rows = [_new_row(task) for task in tasks]
    of_id = replace(recipe, choices={name: _by_default(app, found) for name, found in recipe.choices.items()})
    batch_id = batch_id_of(of_id, rows, app.new_run_id() if options.again else "")
    older = columns_of_older_spelling(ensemble)
    return Submission(
        batch_id,
        recipe,
        rows,
        options.limits.over(of_a_row),
        options,
        ensemble,
        contents=contents,
        older_columns=older,
    )


def _with(one: Input, fields: Fields, why: str | None) -> Input:
    where = f"line {one.line}: " if one.line else ""
    return replace(one, fields=fields, error=one.error or (None if why is None else f"{where}{why}"))


def _folder_of(app: App, options: BatchOptions) -> Path:
    """Return the folder that paths in columns are relative to: that of the table, or the working directory."""
    return app.environment.cwd if options.inputs == "-" else app.environment.cwd / Path(options.inputs).parent


def _refuse_same_files(recipe: Recipe, tasks: Sequence[Task]) -> None:
    """Two rows may not write their answers to the same file. Raises `InputError`."""
    for spec in recipe.ensemble.agents:
        if spec.save_as is None:
            continue
        names = replace(names_of(recipe.ensemble), local=frozenset({INDEX}))
        first: dict[str, int] = {}
        for number, task in enumerate(tasks, start=1):
            inputs = inputs_of_row(recipe, task.fields)
            path = fill_in_plainly(spec.save_as, Scope(names, "", inputs, "", {}, local={INDEX: 0}))
            other = first.setdefault(same_file_key(path), number)
            if other != number:
                both = f"rows {other} and {number} would both write `{path[:200]}`"
                raise InputError(
                    f"{both} (`save_as` of agent `{spec.name}`)",
                    hint="Put an input that differs into the path: `${inputs.NAME}`.",
                )


def _by_default(app: App, choices: tuple[ModelChoice, ...]) -> tuple[ModelChoice, ...]:
    """Fill in the provider's default model where no model is chosen: with another default it is another batch."""
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
    """Find the access of every agent before anything is stored or spent, and show it with `planned`.

    A batch that is stored already keeps its models. Raises `AuthError` and others, for all agents at once.
    """
    recipe, tasks = submission.recipe, [row.task for row in submission.rows if row.error is None]
    known = stored_batch(app, submission.options.store, submission.batch_id)
    if known is not None:
        recipe = _waiting(recipe, submission.options.limits, known.recipe)
        recipe = replace(recipe, choices=_with_present_origin(known.recipe.choices, recipe.choices))
    waiting = len(tasks) if known is None else known.to_do
    added = longest_additions(recipe, (row.fields or {} for row in submission.rows))
    to_do = _ToDo(waiting, max(tasks, key=len, default=""), added)
    caller = caller_of(batch_store_url(app, submission.options.store))
    rows = [row for row in submission.rows if row.error is None]
    ready, most = await _plan(app, recipe, submission.limits, to_do, planned=planned, caller=caller, rows=rows)
    return replace(submission, recipe=ready, most=most)


def _waiting(recipe: Recipe, limits: RequestedLimits, before: Recipe) -> Recipe:
    waits = before.wait_for_plan if limits.wait_for_plan is None else limits.wait_for_plan
    return replace(recipe, wait_for_plan=waits)


def _with_present_origin(kept: Choices, now: Choices) -> Choices:
    """Return the stored models, named by the files that name them now: trust may have changed since."""
    return {
        agent: tuple(_with_origin(choice, now[agent]) for choice in choices) for agent, choices in kept.items()
    }


def _with_origin(kept: ModelChoice, now: tuple[ModelChoice, ...]) -> ModelChoice:
    """A model that no file names any more counts as named by the project if any of the present ones is."""
    untrusted = next((choice for choice in now if choice.named_by == "project"), now[0])
    same = next((choice for choice in now if choice.profile == kept.profile), untrusted)
    return replace(kept, named_by=same.named_by, named_in=same.named_in)


async def plan_resume(
    app: App, request: ResumeRequest, planned: Callable[[AccessPlan, int], None]
) -> PlannedResume:
    """Plan a stored batch as `plan_batch` does, for its rows that wait or were cancelled.

    Raises `BatchNotFound`, and `InputError` if the failed rows of a cancelled batch are to be retried.
    """
    known = find_batch(app, request.batch, request.store)
    batch_id = known.batch.batch_id
    if request.failed and known.batch.state == "cancelled":
        raise InputError(
            f"batch `{batch_id}` was cancelled",
            hint=f"Resume the whole batch: llm-orc batch resume {batch_id}",
        )
    if known.batch.kept < known.batch.total:
        raise InputError(
            f"batch `{batch_id}` was stopped while its inputs were stored: {known.batch.kept:,} of"
            f" {known.batch.total:,} are stored",
            hint=f"Give the command that started it again, with `{known.batch.inputs}`: llm-orc batch"
            f" {known.batch.ensemble} --inputs …",
        )
    limits = request.limits.over(known.batch.limits)
    recipe = _waiting(
        with_consent(known.recipe, with_agreements(app, known.recipe.ensemble, request.consent)),
        request.limits,
        known.recipe,
    )
    rows = known.to_do + (known.failed if request.failed else 0)
    added = known.added
    to_do = _ToDo(rows, known.longest_task, added)
    caller = caller_of(batch_store_url(app, request.store))
    recipe, most = await _plan(app, recipe, limits, to_do, planned=planned, caller=caller)
    return PlannedResume(batch_id, recipe, limits, most)


@dataclass(frozen=True, slots=True)
class _ToDo:
    """What is left to do. `added`: the characters that a row adds to each agent's system prompt, at most."""

    rows: int
    longest_task: str
    added: Mapping[str, int]


async def _plan(
    app: App,
    recipe: Recipe,
    limits: BatchLimits,
    to_do: _ToDo,
    *,
    planned: Callable[[AccessPlan, int], None],
    caller: Caller,
    rows: Sequence[NewRow] = (),
) -> tuple[Recipe, Most]:
    """Return the recipe with every model decided, and the most that one attempt of a call can take."""
    async with Runtime(unattended(app)) as runtime:
        terms = Terms(consent_of(recipe), recipe.rehearsal, caller=caller)
        models = await runtime.models_for(recipe.choices, terms)
    ready, candidates = models.ready, models.candidates
    _check_files(recipe, ready, rows)
    ceilings = limits.of_batch.lowest([limits.of_row])
    refuse_unknown_most(app, recipe.ensemble, ceilings, ready)
    ready = replace(ready, notices=(*ready.notices, *unlimited_notices(ceilings.max_cost_usd, ready)))
    one = partial(estimate, replace(recipe, task=to_do.longest_task), ready.by_agent, to_do.added)
    planned(replace(plan_of(app, recipe.ensemble, ready), estimate=lambda: _times(one(), to_do.rows)), to_do.rows)
    choices = {agent: tuple(model.choice for model in found) for agent, found in ready.by_agent.items()}
    most = most_of_any(replace(recipe, task=to_do.longest_task), candidates, to_do.added)
    return replace(recipe, choices=choices), most


def _check_files(recipe: Recipe, ready: Models, rows: Sequence[NewRow]) -> None:
    """Raise `InputError` if a row has a file that a model can't be given."""
    if not recipe.named_files and all(spec.type not in FILE_TYPES for spec in recipe.ensemble.inputs):
        return
    seen: set[frozenset[tuple[str, int]]] = set()
    for row in rows:
        of_row = replace(recipe, inputs=inputs_of_row(recipe, row.fields or {}))
        alike = frozenset((one.media_type, one.size // 1_000_000) for one in of_row.all_files)
        if alike not in seen:
            seen.add(alike)
            try:
                check_files(of_row, ready, {})
            except InputError as e:
                raise InputError(f"row {row.number}: {e.message}", hint=e.hint) from None


def _times(one: Estimate | None, rows: int) -> Estimate | None:
    if one is None or not rows:
        return None
    likely = None if one.likely_usd is None else one.likely_usd * rows
    most = None if one.most_usd is None else one.most_usd * rows
    return Estimate(one.calls * rows, likely, most, one.is_bound)
