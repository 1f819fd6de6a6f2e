"""Set up: make an access the one that agents use by default, and write a first ensemble to try it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llm_orc.app.survey import survey
from llm_orc.auth.access import Billing
from llm_orc.errors import MeteredNotAllowed, NotLoggedIn, StorageError
from llm_orc.settings.profiles import find_profile
from llm_orc.settings.write import write_settings
from llm_orc.storage.atomic import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from llm_orc.app.discovery import Found
    from llm_orc.app.wiring import App

FIRST_ENSEMBLE = "first-panel"
_TEXT = """\
# Two views and a decision, to begin with. Change it, or write your own beside it.
# Every key: docs/reference/ensembles.md. Check it with: llm-orc check first-panel
name: first-panel
description: Two views and a decision
default_task: Should a bakery with 3 employees open on Sundays?

agents:
  - name: optimist
    model_profile: default
    system_prompt: >-
      You look for what could go well. Name the three strongest reasons in favour, each with a figure that would
      prove it. At most 120 words.

  - name: sceptic
    model_profile: default
    system_prompt: >-
      You look for what could go wrong. Name the three most serious risks, each with a cheap way to find out early.
      At most 120 words.

  - name: chair
    model_profile: default
    depends_on: [optimist, sceptic]
    system_prompt: >-
      You decide. Begin with the decision in one sentence, then the reasons that carry it, and what would change
      your mind. At most 120 words.
"""


@dataclass(frozen=True, slots=True)
class Default:
    """What the profile `default` says in the user's own configuration; None where it says nothing."""

    provider: str | None
    model: str | None
    is_own: bool  # the user wrote it; else it is as the package has it


def default_now(app: App) -> Default:
    profile = find_profile(app.settings, "default")
    return Default(profile.provider, profile.model, is_own=profile.origin.layer != "packaged")


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

    Raises `StorageError`.
    """
    if any(entry.name == FIRST_ENSEMBLE for entry in app.library.listing().entries):
        return None
    file = app.paths.config / "ensembles" / f"{FIRST_ENSEMBLE}.yaml"
    if file.exists():
        raise StorageError(
            f"`{file}` is there, and is no ensemble `{FIRST_ENSEMBLE}`", hint=f"llm-orc check {file}"
        )
    write_private(file, _TEXT.encode())
    return file


async def choose_access(app: App, provider: str | None, *, allow_metered: bool) -> Found:
    """Return the best access there is, or that of `provider`, which is then its user's choice whoever pays.

    Raises `NotLoggedIn` where there is none, `MeteredNotAllowed` where only money would do and nobody said so.
    """
    found = (await survey(app)).found
    if provider is not None:
        for one in found:
            if one.provider == provider:
                return one
        raise NotLoggedIn(
            f"`{provider}` is not set up on this machine", hint=f"llm-orc auth add {provider}", provider=provider
        )
    for one in found:
        if one.billing is not Billing.METERED or allow_metered:
            return one
    if found:
        names = ", ".join(dict.fromkeys(one.provider for one in found))
        raise MeteredNotAllowed(
            f"the only access here is billed per token: {names}",
            hint=f"If you want that: llm-orc setup --yes --provider {found[0].provider}",
        )
    raise NotLoggedIn(
        "no access to a model was found on this machine",
        hint="Start Ollama, log in to `claude` or `codex`, or add a key: llm-orc auth add PROVIDER",
    )
