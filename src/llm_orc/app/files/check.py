"""Whether the files of a run can be given to its agents: found out before anything is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.path import model_key
from llm_orc.agents.uses.file_flow import files_by_agent
from llm_orc.app.files.taken import is_taken
from llm_orc.errors import InputError

if TYPE_CHECKING:
    from llm_orc.app.access.models import Models
    from llm_orc.runs.recipe import Recipe


def check_files(recipe: Recipe, ready: Models) -> None:
    """Raise `InputError` for a file of the task that no agent gets, and for one that a model can't be given."""
    if not recipe.all_files:
        return
    by_agent = files_by_agent(recipe.ensemble, recipe.inputs, recipe.files, recipe.named_files)
    given = {file for files in by_agent.values() for file in files}
    for file in recipe.files:
        if file not in given:
            raise InputError(
                f"no agent of ensemble `{recipe.ensemble.name}` would get the file `{file.name}`",
                hint='An agent gets it that sees the task, or that says so: `attachments: ["${task.files}"]`.',
            )
    for path, files in by_agent.items():
        for model in ready.by_agent.get(model_key(path), ()):
            for file in files:
                if not is_taken(file, model):
                    raise InputError(
                        f"agent `{path}` can't give the file `{file.name}` (`{file.media_type}`) to"
                        f" `{model.access.provider}` (model `{model.model}`), which takes no such files",
                        hint="Nothing was sent. Use another model, or give its text: `${inputs.NAME.text}`.",
                    )
