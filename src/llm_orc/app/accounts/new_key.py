"""A key before it is stored: is it one of this provider, does the provider accept it, what would it replace?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.access.credentials import open_credentials
from llm_orc.auth.apply import ApiKeyHeader
from llm_orc.auth.credential import DEFAULT_ACCOUNT, ApiKey
from llm_orc.auth.key_shapes import doubt, foreign_prefix
from llm_orc.catalog.dialects import DIALECTS
from llm_orc.catalog.table import PROVIDERS
from llm_orc.dataclass import dataclass
from llm_orc.errors import CredentialRefused, LlmOrcError
from llm_orc.net.http import Http
from llm_orc.net.origin import origin_of

if TYPE_CHECKING:
    from llm_orc.app.accounts.auth_methods import AuthProvider
    from llm_orc.app.wiring import App
    from llm_orc.auth.credential import Entry
    from llm_orc.auth.secret import Secret
    from llm_orc.catalog.rows import ProviderSpec
    from llm_orc.providers.endpoint import Endpoint

_SCOPE_WORDS = ("scope", "permission")  # of a key that may do less than list models, as OpenAI's can be


@dataclass(frozen=True, slots=True)
class OtherProvider:
    """Whose key it is instead, and what tells so, as text that continues "it …"."""

    spec: ProviderSpec
    why: str


def other_provider(key: Secret, variable: str, spec: ProviderSpec, endpoint: Endpoint) -> OtherProvider | None:
    """Return the provider whose key this is; None: nothing says that it is another's.

    `variable` is the environment variable that it was in, or is assigned to; empty: none. It counts only at the
    provider's usual address: a gateway may take the keys of all.
    """
    prefix = foreign_prefix(key.reveal(), endpoint.origin)
    if prefix is not None and prefix.provider in PROVIDERS:
        return OtherProvider(PROVIDERS[prefix.provider], f"looks like one of {prefix.owner}")
    if not _is_at_usual(spec, endpoint) or not variable or variable in spec.api_key_env:
        return None
    named = next((row for row in PROVIDERS.values() if variable in row.api_key_env), None)
    return (
        None if named is None else OtherProvider(named, f"comes from `{variable}`, a variable of `{named.name}`")
    )


def standing_entry(app: App, provider: str, account: str | None) -> Entry | None:
    """Return the stored credential that another one of this account would replace; None: there is none.

    Raises `CredentialStoreError`.
    """
    entry = open_credentials(app).get(provider, account or DEFAULT_ACCOUNT)
    return entry if entry is not None and entry.source == "own" else None


def needs_yes(standing: Entry | None, key: Secret | None = None) -> bool:
    """Whether a person must agree before it is replaced: not by itself, nor if its provider has refused it."""
    if standing is None or standing.refused is not None or standing.needs_login is not None:
        return False
    return key is None or standing.credential != ApiKey(key)


async def try_key(app: App, provider: AuthProvider, endpoint: Endpoint, key: Secret) -> str:
    """Ask the provider whether it accepts the key, for a request that costs nothing.

    Returns why that is still unknown, as text that continues "it is not tested: …"; empty: it accepts the key.
    Raises `CredentialRefused`.
    """
    spec = provider.spec
    if spec.proof_path is None:
        return f"`{spec.name}` offers no request for that which costs nothing"
    if spec.interactive_only is not None and not app.environment.is_attended:
        return f"{spec.interactive_only.reason}, and nobody is at a terminal"
    from llm_orc.providers.model_list import prove_credential  # noqa: PLC0415 - heavy: a dialect

    dialect = DIALECTS[spec.dialect]
    header = ApiKeyHeader(endpoint.origin, dialect.key_header, key, dialect.key_scheme)
    async with Http(app.settings.network, max_connections=2) as http:
        try:
            await prove_credential(endpoint, header, http, spec.proof_path)
        except CredentialRefused as e:
            if e.status == 403 or any(word in e.provider_message.lower() for word in _SCOPE_WORDS):
                return e.message
            raise _refused(spec, endpoint, key, e) from e
        except LlmOrcError as e:
            return e.message
    return ""


def doubt_about(key: Secret, spec: ProviderSpec, endpoint: Endpoint) -> str:
    """Return what is unusual in a key for the provider's usual address, as text that continues "it …"."""
    return doubt(key.reveal(), spec) if _is_at_usual(spec, endpoint) else ""


def _is_at_usual(spec: ProviderSpec, endpoint: Endpoint) -> bool:
    usual = PROVIDERS.get(spec.name)
    return usual is not None and usual.base_url is not None and origin_of(usual.base_url) == endpoint.origin


def _refused(spec: ProviderSpec, endpoint: Endpoint, key: Secret, error: CredentialRefused) -> CredentialRefused:
    """Return the refusal of a key that is not stored anywhere."""
    unusual = doubt_about(key, spec, endpoint)
    where = f"Copy it again, or make another at {spec.keys_at}." if spec.keys_at else "Copy it again."
    said = f": {error.provider_message}" if error.provider_message else ""
    return CredentialRefused(
        f"`{spec.name}` refused the key (status {error.status}){said}; nothing was stored",
        hint=f"It {unusual}. {where}" if unusual else where,
        status=error.status,
        provider_message=error.provider_message,
    )
