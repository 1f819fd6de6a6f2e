"""Say which ways in a provider's calls may take, and in which order: kept in the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.accounts.auth_methods import AuthMethod, find_auth_method
from llm_orc.errors import InputError, SettingsError
from llm_orc.providers.lookup import find_provider
from llm_orc.settings.write import write_setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.app.accounts.auth_methods import WayName
    from llm_orc.app.wiring import App


@dataclass(frozen=True, slots=True)
class Preference:
    """What was written, and where. `needs_trust`: it counts once its project is trusted."""

    provider: str
    ways: tuple[AuthMethod, ...]
    file: Path
    needs_trust: bool = False


def prefer(
    app: App, provider: str, methods: Sequence[WayName], *, acknowledge_terms: bool = False, project: bool = False
) -> Preference:
    """Write the preference. A metered way among `methods` is its user's yes to that bill.

    Raises `AccessNotSupported`, `InputError` where terms are not acknowledged or a method comes twice,
    `SettingsError`, `StorageError`.
    """
    find_provider(provider, app.settings.providers)
    if len(set(methods)) < len(methods):
        raise InputError("a method is named twice", hint="Name each once, the preferred one first.")
    ways = tuple(find_auth_method(app, provider, name) for name in methods)
    for way in ways:
        if way.notice is not None and not acknowledge_terms and not _has_acknowledged(app, provider, way):
            raise InputError(
                f"`{way.name}` has terms that need your explicit yes: {way.notice.text}"
                f" ({way.notice.link}, as of {way.notice.date})",
                hint="--acknowledge-terms",
            )
    file = _file(app, project=project)
    write_setting(file, ("providers", provider, "auth_method"), methods)
    return Preference(provider, ways, file, needs_trust=project)


def _has_acknowledged(app: App, provider: str, way: AuthMethod) -> bool:
    """Who signed in there has said yes to the same terms already."""
    storage = open_credentials(app)
    return way.name == "oauth" and any(
        entry.provider == provider and entry.terms_acknowledged_at is not None
        for entry in (storage.entries() if storage.state.is_usable else ())
    )


def _file(app: App, *, project: bool) -> Path:
    if not project:
        return app.paths.config / "config.yaml"
    if app.settings.project is None:
        raise SettingsError(
            "there is no project here: neither this folder nor one above it has a `.llm-orc` folder",
            hint="mkdir .llm-orc",
        )
    return app.settings.project.root / ".llm-orc" / "config.yaml"
