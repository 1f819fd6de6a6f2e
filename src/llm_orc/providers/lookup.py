"""Find a provider by its name: the row of the table, with what settings say of it put in."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.auth.access import Billing
from llm_orc.catalog.acp_agents import described
from llm_orc.catalog.dialects import DIALECTS
from llm_orc.catalog.rows import ProviderSpec
from llm_orc.catalog.table import COMPATIBLE, OFFICIAL_CLIS, PROVIDERS, provider_name, row_of
from llm_orc.errors import SettingsError
from llm_orc.providers.unknown import what_to_do, why_unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.catalog.call_rules import CallRules
    from llm_orc.catalog.rows import OfficialCliRow
    from llm_orc.settings.model import ProviderSettings


def find_provider(name: str, settings: Mapping[str, ProviderSettings]) -> ProviderSpec:
    """Return the row for `name`, with what `settings` say of it put in.

    `openai-compatible/<scope>` is a compatible server of that name; a provider that only `settings` know
    needs `base_url` and `dialect`. Raises `SettingsError` for a name that nobody knows.
    """
    own = provider_settings(name, settings)
    spec = row_of(name)
    if spec is None and own is not None:
        spec = _user_defined(own)
    if spec is None:
        raise _unknown(name, settings)
    return spec if own is None else _with_settings(spec, own)


def official_clis(settings: Mapping[str, ProviderSettings]) -> Mapping[str, OfficialCliRow]:
    """Return every official CLI by name, those that only `settings` describe among them."""
    own = {s.name: _described(s) for s in settings.values() if s.acp_command and s.name not in PROVIDERS}
    return {**OFFICIAL_CLIS, **own}


def program_billing(spec: ProviderSpec, row: OfficialCliRow) -> Billing:
    """Return who pays for the calls of an official CLI that serves `spec`.

    Where the program does not prove its login, its user's word counts, else the dearer of what the two rows say.
    """
    if spec.is_billing_told and not row.proves_login:
        return spec.billing
    return max(row.billing, spec.billing, key=lambda billing: billing.expense)


def provider_settings(name: str, settings: Mapping[str, ProviderSettings]) -> ProviderSettings | None:
    """What configuration says of `name`; a scope that it does not mention is as all compatible servers."""
    name = name if name in settings else provider_name(name)
    if name not in settings and name.startswith(f"{COMPATIBLE}/"):
        return settings.get(COMPATIBLE)
    return settings.get(name)


def _described(own: ProviderSettings) -> OfficialCliRow:
    program, *arguments = own.acp_command
    command = (str(Path(program).expanduser()) if program.startswith("~") else program, *arguments)
    return described(own.name, command, *([Billing(own.billing)] if own.billing else []))


def _user_defined(own: ProviderSettings) -> ProviderSpec:
    if own.acp_command:
        return _described(own).provider
    if own.base_url is None or own.dialect is None:
        missing = "base_url" if own.base_url is None else "dialect"
        raise SettingsError(
            f"provider `{own.name}` has no `{missing}`",
            hint=f"Set `providers.{own.name}.{missing}` in config.yaml (dialects: {', '.join(DIALECTS)}).",
        )
    return ProviderSpec(
        name=own.name,
        title=own.name,
        dialect=own.dialect,
        base_url=own.base_url,
        credential="required" if own.api_key_env or own.api_key_file or own.token_command else "optional",
    )


def _with_settings(spec: ProviderSpec, own: ProviderSettings) -> ProviderSpec:
    return replace(
        spec,
        dialect=own.dialect or spec.dialect,
        base_url=own.base_url or spec.base_url,
        api_key_env=(own.api_key_env,) if own.api_key_env else spec.api_key_env,
        default_model=own.default_model or spec.default_model,
        billing=Billing(own.billing) if own.billing else spec.billing,
        is_billing_told=own.billing is not None,
        interactive_only=spec.interactive_only or own.interactive_only,
        calls=_with_changes(spec.calls, own),
    )


def _with_changes(rules: CallRules, own: ProviderSettings) -> CallRules:
    found = {item.name: getattr(own.calls, item.name) for item in fields(own.calls)}
    changed = {name: value for name, value in found.items() if value is not None}
    usage_page = (own.oauth and own.oauth.usage_page) or rules.usage_page
    return replace(rules, **{**changed, "errors": {**rules.errors, **own.calls.errors}, "usage_page": usage_page})


def _unknown(name: str, settings: Mapping[str, ProviderSettings]) -> SettingsError:
    return SettingsError(
        f"there is no provider `{name}`{why_unknown(name)}", hint=what_to_do(name, {*PROVIDERS, *settings})
    )
