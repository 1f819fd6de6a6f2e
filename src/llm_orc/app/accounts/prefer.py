"""Set which auth methods a provider's calls may use, and in which order: kept in the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.accounts.auth_methods import AuthMethod
from llm_orc.auth.credential import ApiKey, OAuthToken
from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError, SettingsError
from llm_orc.settings.change.write import write_setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.app.accounts.auth_methods import AuthProvider
    from llm_orc.app.wiring import App
    from llm_orc.settings.model import AuthMethodName


@dataclass(frozen=True, slots=True)
class Preference:
    """What was written, and where. `needs_trust`: it takes effect once its project is trusted."""

    provider: str
    methods: tuple[AuthMethod, ...]
    file: Path
    needs_trust: bool = False


def prefer(
    app: App,
    provider: AuthProvider,
    methods: Sequence[AuthMethodName],
    *,
    acknowledge_terms: bool = False,
    project: bool = False,
) -> Preference:
    """Write the preference. A metered method among `methods` is its user's yes to that bill.

    Raises `AccessNotSupported`, `InputError` where terms are not acknowledged or a method comes twice,
    `SettingsError`, `StorageError`.
    """
    if len(set(methods)) < len(methods):
        raise InputError("a method is named twice", hint="Name each once, the preferred one first.")
    found = tuple(provider.method(name) for name in methods)
    for method in found:
        if (
            method.notice is not None
            and not acknowledge_terms
            and not _has_acknowledged(app, provider.name, method)
        ):
            raise InputError(
                f"`{method.name}` has terms that need your explicit yes: {method.notice.text}"
                f" ({method.notice.link}, as of {method.notice.date})",
                hint="Say it with `--acknowledge-terms`.",
            )
    file = _file(app, project=project)
    write_setting(file, ("providers", provider.name, "auth_method"), methods)
    return Preference(provider.name, found, file, needs_trust=project)


def _has_acknowledged(app: App, provider: str, method: AuthMethod) -> bool:
    """Whether a key or sign-in is stored for which the same terms were acknowledged."""
    storage = open_credentials(app)
    kind = {"api-key": ApiKey, "oauth": OAuthToken}.get(method.name)
    return kind is not None and any(
        entry.provider == provider
        and entry.terms_acknowledged_at is not None
        and isinstance(entry.credential, kind)
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
