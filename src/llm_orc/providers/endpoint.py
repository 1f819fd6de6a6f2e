"""The address of a model: its base URL, and the origin that a credential may be sent to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llm_orc.auth.access import Billing
from llm_orc.catalog.call_rules import NO_RULES, CallRules
from llm_orc.catalog.dialects import DIALECTS
from llm_orc.catalog.rows import DialectName
from llm_orc.dataclass import dataclass
from llm_orc.errors import SettingsError
from llm_orc.net.origin import is_loopback, origin_of
from llm_orc.net.text import one_line
from llm_orc.providers.lookup import provider_settings

if TYPE_CHECKING:
    from llm_orc.catalog.rows import ProviderSpec
    from llm_orc.settings.model import ProviderSettings


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One provider's address, checked. `headers` are the user's own, sent with every request."""

    provider: str
    dialect: DialectName
    base_url: str  # without a slash at its end
    origin: str  # scheme://host[:port], as in Authoriser.origin and Access.endpoint
    headers: Mapping[str, str] = field(default_factory=dict)
    key_hint: str = ""  # what to do about a refused credential
    credential: str = "credential"  # describes the credential and its source
    calls: CallRules = NO_RULES

    @property
    def is_loopback(self) -> bool:
        return is_loopback(urlsplit(self.origin).hostname or "")


def endpoint_of(
    spec: ProviderSpec,
    settings: Mapping[str, ProviderSettings],
    base_url: str | None = None,
    *,
    has_credential: bool | None = None,
) -> Endpoint:
    """Return the checked address of `spec`; a profile's `base_url` comes before all others.

    `has_credential` None: as the row demands. Raises `AccessNotSupported` for a row that this version can't
    use, `SettingsError` where the address is missing, unusable, or plain http where that isn't safe.
    """
    address = base_url or spec.base_url
    if not address:
        like = spec.address_like or "http://127.0.0.1:8000/v1"
        raise SettingsError(
            f"provider `{spec.name}` needs the address of its server",
            hint=f"Set `providers.{spec.name}.base_url` in config.yaml, like `{like}`.",
        )
    clean = check_base_url(address, spec.name)
    clean = clean.removesuffix(DIALECTS[spec.dialect].path_prefix)
    own = provider_settings(spec.name, settings)
    endpoint = Endpoint(
        provider=spec.name,
        dialect=spec.dialect,
        base_url=clean,
        origin=origin_of(clean),
        headers={} if own is None else dict(own.headers),
        key_hint=_key_hint(spec),
        calls=spec.calls,
    )
    needs = spec.credential == "required" if has_credential is None else has_credential
    check_transport_security(endpoint, has_credential=needs)
    return endpoint


def billing_of(spec: ProviderSpec, endpoint: Endpoint) -> Billing:
    """Who pays for a call: a compatible server on this machine costs nothing, unless the configuration says so."""
    if spec.credential == "optional" and endpoint.is_loopback and not spec.is_billing_told:
        return Billing.LOCAL
    return spec.billing


def _key_hint(spec: ProviderSpec) -> str:
    names = " or ".join(spec.api_key_env) or f"`providers.{spec.name}.api_key_env`"
    where = f"; keys are at {spec.keys_at}" if spec.keys_at else ""
    return f"Check the key in {names}{where}."


def check_base_url(base_url: str, provider: str) -> str:
    """Return `base_url` without trailing slashes. Raises `SettingsError` if it is not a usable address."""
    clean = base_url.strip().rstrip("/")
    try:
        origin_of(clean)
    except ValueError as e:
        problem = str(e)
    else:
        problem = _problem_behind_origin(clean)
    if not problem:
        return clean
    shown = one_line(clean.rpartition("@")[2])  # what precedes an @ may be a password
    raise SettingsError(
        f"the base URL of provider `{provider}`, `{shown}`, can't be used: {problem}",
        hint=f"Write it like `https://host/v1` under `providers.{provider}.base_url`.",
    )


def _problem_behind_origin(url: str) -> str:
    if "?" in url or "#" in url:
        return "it must have no `?` or `#` part"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "it contains characters that a URL can't"
    return ""


def check_transport_security(endpoint: Endpoint, *, has_credential: bool) -> None:
    """Raise `SettingsError` if plain http would send a credential, or a prompt, over an untrusted network."""
    if endpoint.origin.startswith("https://") or endpoint.is_loopback:
        return
    if not has_credential and _is_private(urlsplit(endpoint.origin).hostname or ""):
        return
    what = "a credential" if has_credential else "prompts"
    raise SettingsError(
        f"provider `{endpoint.provider}` would send {what} unencrypted to `{endpoint.origin}`",
        hint=f"Use `https://` in `providers.{endpoint.provider}.base_url`, or reach the server over loopback "
        "(for example through an SSH tunnel).",
    )


def _is_private(host: str) -> bool:
    """An address of a private network, or a name that only such a network can resolve."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".internal", ".home.arpa"))
