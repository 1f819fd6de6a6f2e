"""What a recipe that others may have written may not decide: where keys go, and which programs start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.kinds import tooled_agents
from llm_orc.app.projects.programs import refuse_foreign_programs
from llm_orc.errors import NotTrusted

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.runs.recipe import Recipe
    from llm_orc.settings.model import Settings


def refuse_foreign(app: App, recipe: Recipe) -> None:
    """Raise `NotTrusted` if a recipe of a foreign store names what the files of this machine don't."""
    refuse_foreign_endpoints(app.settings, recipe)
    if not recipe.rehearsal:
        refuse_foreign_programs(app, recipe.ensemble)
        _refuse_foreign_tools(recipe)


def _refuse_foreign_tools(recipe: Recipe) -> None:
    """Raise `NotTrusted` if agents have tools: others would read what they see of this machine."""
    for agent in sorted(tooled_agents(recipe.ensemble)):
        raise NotTrusted(
            f"agent `{agent}` of the batch has tools, and others can write to its store",
            hint="Tools are for batches of your own store, `--store` left out; nothing was sent.",
        )


def refuse_foreign_endpoints(settings: Settings, recipe: Recipe) -> None:
    """Raise `NotTrusted` if the recipe names an address, or where keys are, and this machine's settings don't.

    Otherwise anyone who can write to the store could make a worker send its keys to an address of their own.
    """
    for agent, choices in recipe.choices.items():
        for choice in choices:
            named = (choice.base_url, choice.api_key_env, choice.api_key_file)
            own = settings.profiles.get(choice.profile or "")
            file = None if own is None or own.api_key_file is None else str(own.api_key_file)
            if any(named) and (own is None or named != (own.base_url, own.api_key_env, file)):
                raise NotTrusted(
                    f"agent `{agent}` of the batch names an address or a key's source (profile `{choice.profile}`)"
                    " that is not in this machine's settings",
                    hint="If you agree with it, define the same profile here; nothing was sent.",
                )
