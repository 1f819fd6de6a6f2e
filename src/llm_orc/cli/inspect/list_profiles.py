"""`llm-orc list-profiles`: the model profiles, each with the file that set it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import columns, note, write_data
from llm_orc.cli.shell.output.tables import Column, table
from llm_orc.storage.shown_path import shown_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.jsontypes import JsonValue
    from llm_orc.settings.model import ModelProfile

_HEADING = (
    Column("PROFILE", shrinks=True),
    Column("PROVIDER", shrinks=True),
    Column("MODEL", shrinks=True),
    Column("FALLBACK", shrinks=True),
    Column("SET IN", shrinks=True),
)


@define_command()
@json_option
def command(*, as_json: bool) -> None:
    """List the model profiles that an agent's `model_profile` can name, and the file that set each."""
    app = app_here()
    profiles = sorted(app.settings.profiles.values(), key=lambda profile: profile.name)
    if as_json:
        broken = app.settings.broken_profiles
        write_json(
            [
                *(_value(profile) for profile in profiles),
                *({"name": name, "problems": [*map(str, found)]} for name, found in broken.items()),
            ]
        )
    elif profiles:
        write_data(_table(profiles))
    for name, problems in app.settings.broken_profiles.items():
        for problem in problems:
            note(f"warning: `{name}` can't be used: {problem}")
    if not any(profile.origin.layer != "packaged" for profile in profiles):
        note(f"Add your own under `model_profiles:` in {shown_path(app.paths.config / 'config.yaml')}")


def _table(profiles: Sequence[ModelProfile]) -> str:
    """Return the table; it has descriptions only if there is one."""
    described = any(profile.description for profile in profiles)
    heading = (*_HEADING, *((Column("DESCRIPTION", shrinks=True),) if described else ()))
    return table(heading, [_row(profile)[: len(heading)] for profile in profiles], columns(sys.stdout))


def _row(profile: ModelProfile) -> tuple[str, ...]:
    origin = profile.origin
    file = None if origin.file is None or origin.layer == "packaged" else shown_path(origin.file)
    return (
        profile.name,
        profile.provider or "best found",
        profile.model or "provider's default",
        profile.fallback_model_profile or "",
        str(origin) if file is None else f"{file}:{origin.line}" if origin.line else file,
        profile.description or "",
    )


def _value(profile: ModelProfile) -> JsonValue:
    return {
        "name": profile.name,
        "description": profile.description,
        "provider": profile.provider,
        "model": profile.model,
        "base_url": profile.base_url,
        "fallback_model_profile": profile.fallback_model_profile,
        "layer": profile.origin.layer,
        "file": str(profile.origin.file) if profile.origin.file else None,
        "line": profile.origin.line or None,
        "problems": [],
    }
