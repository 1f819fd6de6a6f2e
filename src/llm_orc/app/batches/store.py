"""Which store a batch is in, whose it is, and what a recipe from a store of others may not decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.projects.programs import refuse_foreign_programs
from llm_orc.batches.store_url import StoreUrl, parse_store_url
from llm_orc.errors import NotTrusted

if TYPE_CHECKING:
    from llm_orc.app.access.consent import Caller
    from llm_orc.app.wiring import App
    from llm_orc.runs.recipe import Recipe
    from llm_orc.settings.model import Settings


def batch_store_url(app: App, named: str | None) -> StoreUrl:
    """Return the store. Raises `InputError` if `named` is not a store, or contains a password."""
    return parse_store_url(named or app.settings.batch.store, app.paths.batches_database)


def caller_of(store_url: StoreUrl) -> Caller:
    """Return where the calls of a batch in this store are made."""
    return "shared store" if store_url.is_shared else "own machine"


def is_own_store(app: App, store_url: StoreUrl) -> bool:
    """Whether it is the file in the user's own state folder, to which nobody else can write."""
    return store_url == parse_store_url(None, app.paths.batches_database)


def refuse_foreign(app: App, store: StoreUrl, recipe: Recipe) -> None:
    """Raise `NotTrusted` if a recipe of a store that is not the user's own names what this machine doesn't."""
    if is_own_store(app, store):
        return
    refuse_foreign_endpoints(app.settings, recipe)
    if not recipe.rehearsal:
        refuse_foreign_programs(app, recipe.ensemble)


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
