"""The library's public functions: what the command line does, for Python programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.choice import NamedModel
from llm_orc.agents.named_models import NamedModels
from llm_orc.app.access.consent import Consent
from llm_orc.app.approvals.answers import GivenAnswer
from llm_orc.app.files.given import GivenFiles, take, take_inputs
from llm_orc.app.files.read import FileReader
from llm_orc.app.history.approvals import answer_run
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.projects.nested import complete
from llm_orc.app.runs.conversation import ConversationOptions
from llm_orc.app.runs.request import RunLimits, RunListener
from llm_orc.app.runs.resume import ResumeOptions
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.app.runs.runtime import Runtime
from llm_orc.app.wiring import open_app
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.net.event_loop import in_event_loop, run_to_end
from llm_orc.settings.environment import ProcessEnvironment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike

    from llm_orc.agents.spec import Caching, WhenFull
    from llm_orc.app.files.given import FileLike, InputValue
    from llm_orc.engine.events import RunEvent
    from llm_orc.runs.results import RunResult

_AWAIT_RUN = (
    "`run_sync` can't be used where an event loop runs, as in a notebook or an `async` function:"
    " use `result = await llm_orc.run(...)` there"
)


def load_ensemble(name_or_path: str | PathLike[str]) -> Ensemble:
    """Return the ensemble of that name (project, then user, then packaged), or in that file.

    Raises `EnsembleNotFound` with the closest names, `EnsembleInvalid` with everything that is wrong in the file.
    """
    return find_ensemble(open_app(ProcessEnvironment.here()), str(name_or_path))


async def run(
    ensemble: Ensemble | str | PathLike[str],
    task: str | None = None,
    *,
    model: str | None = None,
    agent_models: Mapping[str, str] | None = None,
    allow_metered: bool = False,
    rehearse: bool = False,
    record: bool | None = None,
    max_concurrent: int | None = None,
    timeout_s: float | None = None,
    max_cost_usd: float | None = None,
    max_calls: int | None = None,
    max_total_tokens: int | None = None,
    wait_for_plan: bool | None = None,
    conversation: str | None = None,
    when_full: WhenFull | None = None,
    on_event: Callable[[RunEvent], None] | None = None,
    runtime: Runtime | None = None,
    inputs: Mapping[str, InputValue] | None = None,
    attachments: Sequence[FileLike] = (),
    caching: Caching = "use",
) -> RunResult:
    """Run an ensemble on `task` (default: its `default_task`) and return the results of all agents.

    `inputs` are the values of its declared inputs; those with a default may be left out. That of a file is a path
    or `FileData`, that of files a list of them, or a folder. `attachments` are files that go with the task.
    `model` takes the place of the ensemble's with every agent, and `agent_models` with single ones by their names:
    each is a profile, a provider, `PROVIDER/MODEL` or a model's name. `on_event` gets each event as it happens,
    text deltas included.
    `record` False keeps nothing; None is as the settings say. `rehearse` asks the sandbox instead of models. A
    failed agent is in the result, not raised; what is raised, an `LlmOrcError`, was found before anything was
    spent. With a `conversation` the agents are told what was said in it before, and `when_full` says what to do
    when that no longer fits a model. With `wait_for_plan`, agents whose plan is used up wait until it resets,
    and nothing dearer takes over. `caching` is what agents with a `cache` do: `use` answers of before, `refresh`
    them with new ones, or neither (`off`), without a record always. Settings and ensembles are looked up from the
    working directory, credentials in the environment: now, or when `runtime` was opened, which is shared with
    other runs. Cancelling keeps what is finished.
    """
    app = open_app(ProcessEnvironment.here()) if runtime is None else runtime.app
    models = _named(model, agent_models)
    if isinstance(ensemble, Ensemble):
        ensemble = complete(app, ensemble)
    else:
        ensemble = find_ensemble(app, str(ensemble), models=models)
    reader = FileReader(app)
    values = take_inputs(ensemble, inputs or {}, reader)
    files = tuple(take(one, reader, "`attachments`") for one in attachments)
    options = RunOptions(
        task,
        RunLimits(
            max_concurrent,
            timeout_s,
            max_cost_usd,
            max_calls,
            wait_for_plan=wait_for_plan,
            max_total_tokens=max_total_tokens,
        ),
        Consent(allow_metered),
        rehearse=rehearse,
        record=record,
        conversation=ConversationOptions(conversation, when_full=when_full),
        inputs=values,
        models=models,
        given=GivenFiles(files, reader.contents),
        caching=caching,
    )
    listener = RunListener() if on_event is None else RunListener(on_event, stream=True)
    return await run_ensemble(app, ensemble, options, listener, runtime=runtime)


async def answer_approval(
    run_id: str,
    agent: str | None = None,
    *,
    choice: str | None = None,
    text: str | None = None,
    by: str | None = None,
    resume: bool = True,
    on_event: Callable[[RunEvent], None] | None = None,
    runtime: Runtime | None = None,
) -> RunResult:
    """Answer what an agent of a run asks a person, and go on with the run; return the result of the whole run.

    `agent` is its path (default: the only one that asks). `choice` is one of those it gives, and `text` a note on
    it, or the answer where there are no choices. `by` is who answers (default: the user of this process). With
    `resume` False the answer is only recorded; so it is if another process carries out the run, which takes it.
    Of several who answer at once, one does. Raises `RunNotFound`, `InputError` for what is no answer,
    `AlreadyAnswered`, `ApprovalExpired`, and what `run` raises; what was agreed to for the run is still agreed to.
    """
    app = open_app(ProcessEnvironment.here()) if runtime is None else runtime.app
    options = ResumeOptions(run_id) if resume else None
    listener = RunListener() if on_event is None else RunListener(on_event, stream=True)
    return await answer_run(
        app, run_id, agent, GivenAnswer(choice, text, by), options, listener=listener, runtime=runtime
    )


def _named(model: str | None, agent_models: Mapping[str, str] | None) -> NamedModels:
    return NamedModels(
        None if model is None else NamedModel(model, "`model`"),
        agents={agent: NamedModel(text, "`agent_models`") for agent, text in (agent_models or {}).items()},
    )


def open_runtime() -> Runtime:
    """Return what many runs can share: enter it with `async with`, and give it to `run`.

    Settings and ensembles are looked up from the working directory of now. Raises `SettingsError`.
    """
    return Runtime(open_app(ProcessEnvironment.here()))


def run_sync(
    ensemble: Ensemble | str | PathLike[str],
    task: str | None = None,
    *,
    model: str | None = None,
    agent_models: Mapping[str, str] | None = None,
    allow_metered: bool = False,
    rehearse: bool = False,
    record: bool | None = None,
    max_concurrent: int | None = None,
    timeout_s: float | None = None,
    max_cost_usd: float | None = None,
    max_calls: int | None = None,
    max_total_tokens: int | None = None,
    wait_for_plan: bool | None = None,
    conversation: str | None = None,
    when_full: WhenFull | None = None,
    on_event: Callable[[RunEvent], None] | None = None,
    inputs: Mapping[str, InputValue] | None = None,
    attachments: Sequence[FileLike] = (),
    caching: Caching = "use",
) -> RunResult:
    """`run`, for programs without an event loop. Raises `RuntimeError` inside one: await `run` there."""
    if in_event_loop():
        raise RuntimeError(_AWAIT_RUN)
    return run_to_end(
        run(
            ensemble,
            task,
            model=model,
            agent_models=agent_models,
            allow_metered=allow_metered,
            rehearse=rehearse,
            record=record,
            max_concurrent=max_concurrent,
            timeout_s=timeout_s,
            max_cost_usd=max_cost_usd,
            max_calls=max_calls,
            max_total_tokens=max_total_tokens,
            wait_for_plan=wait_for_plan,
            conversation=conversation,
            when_full=when_full,
            on_event=on_event,
            inputs=inputs,
            attachments=attachments,
            caching=caching,
        )
    )
