"""Run an ensemble once, on a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from llm_orc.agents.budgets.ceilings import Ceilings
from llm_orc.agents.inputs.values import complete_inputs
from llm_orc.agents.named_models import NONE_NAMED, NamedModels
from llm_orc.app.access.bills.agreements import with_agreements
from llm_orc.app.access.choices import choices_of
from llm_orc.app.access.consent import Caller, Consent
from llm_orc.app.files.given import NO_FILES_GIVEN, GivenFiles, check_given, named_files
from llm_orc.app.files.read import FileReader
from llm_orc.app.runs.conversation import ConversationOptions, with_conversation
from llm_orc.app.runs.execute import Attempt, execute_recipe
from llm_orc.app.runs.inputs import task_of
from llm_orc.app.runs.request import RunLimits, RunListener
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.base import Message
from llm_orc.runs.recipe import Recipe

if TYPE_CHECKING:
    from llm_orc.agents.spec import Caching
    from llm_orc.app.runs.runtime import Runtime
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.runs.results import RunResult


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the person asked for. `task` None: the ensemble's default. `record` None: as the settings say."""

    task: str | None = None
    limits: RunLimits = RunLimits()
    consent: Consent = Consent()
    rehearse: bool = False  # canned answers from the sandbox; no model is asked
    record: bool | None = None
    conversation: ConversationOptions = ConversationOptions()
    is_chat: bool = False  # one turn of a chat
    inputs: Mapping[str, JsonValue] = field(default_factory=dict)
    models: NamedModels = NONE_NAMED  # in place of the ensemble's
    caching: Caching = "use"
    given: GivenFiles = NO_FILES_GIVEN  # what was read for the run: the files of its task and of its inputs
    said: tuple[Message, ...] = ()  # turns before the task; in place of a conversation
    caller: Caller = "own machine"
    is_served: bool = False  # a client of a server asked for it


async def run_ensemble(
    app: App,
    ensemble: Ensemble,
    options: RunOptions,
    listener: RunListener = RunListener(),
    *,
    runtime: Runtime | None = None,
) -> RunResult:
    """Run `ensemble` and return its result; an agent's failure is in the result, not raised.

    Raises before anything is spent: `InputError`, `ProfileNotFound`, `NotTrusted`, `AuthError`, `SettingsError`,
    `StorageError`, `ConversationNotFound`. `runtime` is one that other runs use too; None: one of its own.
    """
    task = task_of(ensemble, options.task)
    inputs = complete_inputs(ensemble.name, ensemble.inputs, options.inputs)
    check_given(ensemble, inputs, options.given)
    reader = FileReader(app)
    limits, usual = options.limits, app.settings.runs
    consent = with_agreements(app, ensemble, options.consent)
    recipe = Recipe(
        ensemble=ensemble,
        task=task,
        choices=choices_of(ensemble, app.settings, options.models),
        allow_metered=consent.allow_metered,
        plans=tuple(sorted(consent.plans)),
        agreed=tuple(sorted(consent.agreed)),
        rehearsal=options.rehearse,
        timeout_s=limits.timeout_s,
        is_chat=options.is_chat,
        wait_for_plan=usual.wait_for_plan if limits.wait_for_plan is None else limits.wait_for_plan,
        inputs=inputs,
        caching=options.caching,
        said=options.said,
        is_served=options.is_served,
        files=options.given.files,
        named_files=named_files(ensemble, reader),
    ).with_ceilings(ceilings_of(app, ensemble, limits))
    recipe = with_conversation(app, recipe, options.conversation)
    record = usual.record if options.record is None else options.record
    attempt = Attempt(
        recipe,
        app.new_run_id(),
        record,
        consent=consent,
        contents={**options.given.contents, **reader.contents},
    )
    return await execute_recipe(app, attempt, limits, listener, runtime=runtime)


def ceilings_of(app: App, ensemble: Ensemble, limits: RunLimits) -> Ceilings:
    """Return what a run may spend: as asked for or usual, or what its file says if less."""
    return limits.ceilings.over(usual_ceilings(app)).lowest([ensemble.ceilings])


def usual_ceilings(app: App) -> Ceilings:
    """Return what a run may spend by the settings."""
    usual = app.settings.runs
    return Ceilings(usual.max_cost_usd, usual.max_calls, usual.max_total_tokens)
