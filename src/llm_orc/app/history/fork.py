"""Start a new run from an earlier one, or from a row of a batch: answers that it keeps are not paid for again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from shlex import quote
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import tooled_agents
from llm_orc.agents.named_models import NONE_NAMED, NamedModels
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import AgentPath, above, is_top, model_key
from llm_orc.app.access.bills.agreements import with_agreements
from llm_orc.app.access.choices import named_choices_of
from llm_orc.app.access.consent import Consent, with_consent
from llm_orc.app.access.explain import preview_recipe
from llm_orc.app.batches.store import batch_store_url, is_own_store
from llm_orc.app.history.again import Again, to_be_asked
from llm_orc.app.history.runs import get_run, is_row
from llm_orc.app.projects.foreign import refuse_foreign
from llm_orc.app.runs.execute import Attempt, execute_recipe
from llm_orc.app.runs.plan_limits import plans_used_up
from llm_orc.app.runs.request import RunLimits, RunListener
from llm_orc.dataclass import dataclass
from llm_orc.engine.before import SettledRounds
from llm_orc.engine.events import AgentFinished, RecordedEvent, RunStarted
from llm_orc.engine.plan import make_plan
from llm_orc.errors import InputError
from llm_orc.providers.limits.plans import UsedUp
from llm_orc.runs.journal import RunRow
from llm_orc.runs.recipe import Recipe, RecordedRun
from llm_orc.runs.state import RunState

if TYPE_CHECKING:
    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.runs.runtime import Runtime
    from llm_orc.app.wiring import App
    from llm_orc.runs.results import RunResult


@dataclass(frozen=True, slots=True)
class Origin:
    """What a run is forked from: its id, its recipe, and its answers, as far as its rounds are settled."""

    run_id: str
    recipe: Recipe
    outputs: Mapping[str, AgentOutput]
    settled: SettledRounds
    failed_items: tuple[str, ...] = ()  # of agents that have answered without them
    contents: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # of a row's files, by SHA-256
    used_up: tuple[UsedUp, ...] = ()  # the plans that its agents without an answer need, and that are used up


@dataclass(frozen=True, slots=True)
class ForkOptions:
    """`asked`: the agents to ask again, with all that depend on them; the others keep their answers."""

    asked: tuple[str, ...] = ()
    everything: bool = False  # ask all agents again
    limits: RunLimits = RunLimits()  # of the new run alone; None: as it was
    consent: Consent = Consent()
    models: NamedModels = NONE_NAMED  # of the agents that are asked, in place of the origin's


def origin_of(app: App, run: str, store: str | None = None) -> Origin:
    """Return the run that `run` names, or the row of a batch in `store`.

    Others may have written rows of a store that is not the user's own. They have to pass the checks of a worker,
    and what their recipe agrees to is not agreed to here. Raises `RunNotFound`, `BatchNotFound`, `NotTrusted`.
    """
    record = get_run(app, run, store)
    recipe = record.recipe
    if is_row(run) and not is_own_store(app, batch_store_url(app, store)):
        refuse_foreign(app, recipe)
        recipe = replace(recipe, allow_metered=False, plans=(), agreed=())
    state = RunState()
    for event in record.events:
        state.apply(event)
    used_up = plans_used_up(state, app.clock.now())
    run_id = record.summary.run_id
    contents: dict[str, bytes] = {}
    if is_row(run) and recipe.all_files:
        from llm_orc.app.history.batch_rows import contents_of_row  # noqa: PLC0415 - heavy: a database library

        contents = contents_of_row(app, run_id, recipe, store)
    return Origin(
        run_id, recipe, state.outputs, state.settled, tuple(state.failed_items), contents=contents, used_up=used_up
    )


async def fork_run(
    app: App,
    origin: Origin,
    options: ForkOptions,
    listener: RunListener = RunListener(),
    *,
    runtime: Runtime | None = None,
) -> RunResult:
    """Run the origin's recipe as a new run. Raises what `run_ensemble` raises, and `InputError`.

    What was agreed to for the origin's models is not agreed to for others.
    """
    options = replace(options, consent=with_agreements(app, origin.recipe.ensemble, options.consent))
    kept = _kept(origin, options)
    settled = () if options.everything else origin.settled.kept(_asked(origin, options))
    limits = options.limits
    recipe = replace(
        _recipe_of(app, origin, options, kept),
        conversation=None,  # the conversation may have continued since
        remembering=(),
        is_chat=False,
        caching="off" if origin.recipe.caching == "off" else "refresh",  # what is asked again is asked
        wait_for_plan=app.settings.runs.wait_for_plan if limits.wait_for_plan is None else limits.wait_for_plan,
    ).with_ceilings(limits.ceilings.over(origin.recipe.ceilings))
    run_id = app.new_run_id()
    earlier = _beginning(app, run_id, recipe, kept, settled=settled, forked_from=origin.run_id)
    used_up = origin.used_up if recipe.wait_for_plan else ()
    attempt = Attempt(recipe, run_id, earlier=earlier, used_up=used_up, contents=origin.contents)
    return await execute_recipe(app, attempt, limits, listener, runtime=runtime)


async def preview_fork(app: App, origin: Origin, options: ForkOptions) -> AccessPlan:
    """Return what the new run would use if the user agreed to pay."""
    kept = _kept(origin, options)
    return await preview_recipe(app, _recipe_of(app, origin, options, kept), kept)


def _kept(origin: Origin, options: ForkOptions) -> dict[str, AgentOutput]:
    """Return the answers that the new run takes over. Raises `InputError`: it has no agent of that name."""
    asked = _asked(origin, options)
    if options.everything:
        return {}
    kept = {n: o for n, o in origin.outputs.items() if n not in asked}
    return {n: o for n, o in kept.items() if not _is_of_open_loop(n, kept, tooled_agents(origin.recipe.ensemble))}


def _is_of_open_loop(path: str, kept: Mapping[str, AgentOutput], tooled: frozenset[str]) -> bool:
    """Whether it ran for a call of a model that is asked anew, and may call something else instead."""
    around = [one for one in above(path) if model_key(AgentPath(one)) in tooled]
    return bool(around) and not any(one in kept for one in around)


def _asked(origin: Origin, options: ForkOptions) -> Again:
    return to_be_asked(origin.recipe, options.asked or origin.failed_items)


def _recipe_of(app: App, origin: Origin, options: ForkOptions, kept: Mapping[str, AgentOutput]) -> Recipe:
    """Return the recipe with the consent, and with the models that were named."""
    if options.models:
        return _with_models(app, origin.recipe, options, kept)
    return with_consent(origin.recipe, options.consent)


def _with_models(app: App, recipe: Recipe, options: ForkOptions, kept: Mapping[str, AgentOutput]) -> Recipe:
    """Return the recipe with the models that were named for the agents to be asked; they keep their roles."""
    named = named_choices_of(recipe.ensemble, app.settings, options.models)
    for agent in options.models.agents:
        if agent in kept:
            raise InputError(
                f"agent `{agent}` keeps its answer, so no model is asked with it",
                hint=f"Ask it again too: `llm-orc runs fork RUN --from {quote(agent)}`.",
            )
    choices = dict(recipe.choices)
    for key, (first, *others) in named.items():
        if key in kept:
            continue
        before = recipe.choices[key][0].system_prompt
        role = first.system_prompt if before is None else before
        choices[key] = tuple(replace(choice, system_prompt=role) for choice in (first, *others))
    if choices == recipe.choices:
        raise InputError(
            "every agent keeps its answer, so no model is asked",
            hint="Ask all of them again: `llm-orc runs retry RUN --all`.",
        )
    consent = options.consent
    return replace(
        recipe,
        choices=choices,
        allow_metered=consent.allow_metered,
        plans=tuple(sorted(consent.plans)),
        agreed=tuple(sorted(consent.agreed)),
    )


def _beginning(
    app: App,
    run_id: str,
    recipe: Recipe,
    kept: Mapping[str, AgentOutput],
    *,
    settled: Sequence[RecordedEvent],
    forked_from: str,
) -> RecordedRun:
    """Return the new run as if it had stopped right after receiving the answers that it keeps."""
    now = app.clock.now()
    plan = make_plan(recipe.ensemble)
    names, ensemble = plan.names, plan.ensemble
    started = RunStarted(
        now,
        run_id,
        ensemble,
        names,
        recipe.task,
        recipe.rehearsal,
        forked_from=forked_from,
        answer=plan.answer,
        inputs=recipe.inputs,
        named_models=recipe.named_models,
        files=recipe.files,
    )
    own = [name for name in names if name in kept]
    within = [path for path in kept if not is_top(path)]
    finished = tuple(AgentFinished(now, AgentPath(path), 0.0, kept[path]) for path in (*own, *within))
    row = RunRow(run_id, ensemble, now, None, "open", len(names), len(own), None, recipe.rehearsal)
    events = (started, *finished, *(replace(event, at=now) for event in settled))
    return RecordedRun(row, recipe, events, next_seq=0)
