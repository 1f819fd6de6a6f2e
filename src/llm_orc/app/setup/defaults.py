"""Set up: make an access the one that agents use by default, and write a first ensemble to try it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.projects.new_ensemble import new_ensemble
from llm_orc.app.setup.inventory import inventory
from llm_orc.catalog.table import OFFICIAL_CLIS
from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError, MeteredNotAllowed, NotLoggedIn
from llm_orc.settings.change.write import write_settings
from llm_orc.settings.profiles import default_profile

if TYPE_CHECKING:
    from pathlib import Path

    from llm_orc.app.access.route import Route
    from llm_orc.app.wiring import App

FIRST_ENSEMBLE = "first-panel"
PACKAGED_ENSEMBLE = "council"  # what to try where that is not written


@dataclass(frozen=True, slots=True)
class Default:
    """What the profile `default` says in the user's own configuration; None where it says nothing."""

    provider: str | None
    model: str | None
    is_own: bool  # the user wrote it; else it is as the package has it


def default_now(app: App) -> Default:
    profile = default_profile(app.settings)
    return Default(profile.provider, profile.model, is_own=profile.origin.layer != "packaged")


async def can_run(app: App) -> bool:
    """Whether a run whose agents name no model would call one now, without asking anybody about its bill."""
    if default_now(app).is_own:
        return True
    return any(not one.billing.may_cost and one.choice.base_url is None for one in (await inventory(app)).found)


def make_default(app: App, provider: str, model: str | None) -> Path:
    """Let the profile `default` name this provider: a choice, with all that it costs. Returns the file.

    What else stands in the profile stays, but for addresses and keys, which belonged to the one before. Raises
    `SettingsError`, `StorageError`.
    """
    file = app.paths.config / "config.yaml"
    before = dict.fromkeys(("base_url", "api_key_env", "api_key_file", "auth_method"))
    write_settings(file, ("model_profiles", "default"), {"provider": provider, "model": model, **before})
    return file


def write_first_ensemble(app: App) -> Path | None:
    """Write `first-panel` into the user's own ensembles; None where an ensemble of that name is there already.

    Raises `InputError` where a file of that name holds something else, `StorageError`.
    """
    if any(entry.name == FIRST_ENSEMBLE for entry in app.library.listing().entries):
        return None
    return new_ensemble(app, FIRST_ENSEMBLE, where="user")


def name_server(app: App, found: Route) -> None:
    """Write down where a server is that was found and that no setting names. Raises as `make_default` does."""
    if found.choice.base_url is not None:
        write_settings(
            app.paths.config / "config.yaml", ("providers", found.provider), {"base_url": found.choice.base_url}
        )


async def choose_access(app: App, provider: str | None, model: str | None, *, allow_metered: bool) -> Route:
    """Return the best access there is, or that of `provider`, which the user chose, however it is billed.

    Raises `NotLoggedIn` if there is none, `MeteredNotAllowed` if all may cost and `allow_metered` is False,
    `InputError` if `provider` has no default model and `model` is None.
    """
    seen = await inventory(app)
    found = seen.found
    if provider is not None:
        for one in seen.every:
            if one.provider != provider:
                continue
            if one in seen.nameless and model is None:
                raise InputError(
                    f"`{provider}` has no default model: name one with `--model`",
                    hint=f"llm-orc models list {provider}",
                )
            return one
        raise NotLoggedIn(
            f"`{provider}` is not set up on this machine", hint=f"llm-orc auth add {provider}", provider=provider
        )
    for one in found:
        if not one.billing.may_cost or allow_metered:
            return one
    if found:
        names = ", ".join(dict.fromkeys(one.provider for one in found))
        raise MeteredNotAllowed(
            f"the only access here may cost money: {names}",
            hint=f"If you want that: `llm-orc setup --yes --provider {found[0].provider}`.",
        )
    if seen.nameless:
        name = seen.nameless[0].provider
        raise NotLoggedIn(
            f"the only access here is to `{name}`, which has no default model: choose one with `llm-orc setup`, or"
            f" with `--provider {name} --model`",
            hint=f"llm-orc models list {name}",
        )
    commands = " or ".join(f"`{row.command}`" for row in OFFICIAL_CLIS.values() if row.proves_login)
    raise NotLoggedIn(
        "no access to a model was found on this machine",
        hint=f"Start Ollama, log in to {commands}, or add a key: `llm-orc auth add`.",
    )
