"""Whether the files of a run can be given to its agents: found out before anything is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.path import AgentPath, model_key
from llm_orc.agents.uses.file_flow import files_by_agent
from llm_orc.app.access.models import HttpConnection
from llm_orc.catalog.table import OFFICIAL_CLIS
from llm_orc.errors import InputError
from llm_orc.providers.dialects.attachments import problem_for_cli, problem_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.app.access.models import Model, Models
    from llm_orc.providers.parts import FileRef
    from llm_orc.runs.recipe import Recipe


def check_files(recipe: Recipe, ready: Models, told: Mapping[str, Sequence[FileRef]]) -> None:
    """Raise `InputError` for a file of the task that no agent gets, and for one that a model can't be given.

    `told` are the files in the histories of agents.
    """
    by_agent: dict[str, tuple[FileRef, ...]] = {agent: tuple(files) for agent, files in told.items() if files}
    if recipe.all_files:
        found = files_by_agent(recipe.ensemble, recipe.inputs, recipe.files, recipe.named_files)
        _refuse_unseen(recipe, found)
        for path, files in found.items():
            by_agent[path] = (*by_agent.get(path, ()), *files)
    for agent, files in by_agent.items():
        for model in ready.by_agent.get(model_key(AgentPath(agent)), ()):
            for file in files:
                if why := _why_not(file, model):
                    raise InputError(
                        f"agent `{agent}` can't give the file `{file.name}` to `{model.access.provider}`"
                        f" (model `{model.model}`): {why}",
                        hint="Nothing was sent. Convert it, use another model, or give its text:"
                        " `${inputs.NAME.text}`.",
                    )


def _why_not(file: FileRef, model: Model) -> str | None:
    """Return why the model can't be given the file, as far as its protocol decides; None: it can."""
    connection = model.connection
    if isinstance(connection, HttpConnection):
        return problem_of(file.media_type, file.size, connection.endpoint.dialect)
    return problem_for_cli(file.media_type, file.size, OFFICIAL_CLIS[connection.state.name].takes_files)


def _refuse_unseen(recipe: Recipe, by_agent: Mapping[AgentPath, Sequence[FileRef]]) -> None:
    given = {file for files in by_agent.values() for file in files}
    for file in recipe.files:
        if file not in given:
            raise InputError(
                f"no agent of ensemble `{recipe.ensemble.name}` would get the file `{file.name}`",
                hint='An agent gets it that sees the task, or that says so: `attachments: ["${task.files}"]`.',
            )
