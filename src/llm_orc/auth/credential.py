"""Credentials as they are stored: one entry for each provider and account."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from llm_orc.auth.access import Billing
from llm_orc.auth.secret import Secret
from llm_orc.dataclass import dataclass

DEFAULT_ACCOUNT = "default"
_TOOL_SERVER = "mcp:"


def stored_name(server: str) -> str:
    """Return the name that the sign-in of an MCP server is stored under, such as `mcp:github`."""
    return f"{_TOOL_SERVER}{server}"


def server_of(provider: str) -> str | None:
    """Return the MCP server that this name of the store is for; None: it is a provider's."""
    return provider.removeprefix(_TOOL_SERVER) if provider.startswith(_TOOL_SERVER) else None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that the provider issued to the user; it does not expire by itself."""

    key: Secret


@dataclass(frozen=True, slots=True)
class OAuthToken:
    """A token response (RFC 6749 §5.1) as we store it. Times are Unix seconds by our own clock.

    `expires_at` None: the server did not say; use the token until it is refused. `issued_at` and `expires_at` are
    relative to when the response arrived, so a wrong clock on either side does no harm. A refresh before
    `earliest_refresh_at` would spend the refresh token; None: the server named no such time.
    """

    access_token: Secret
    refresh_token: Secret | None = None
    expires_at: float | None = None
    issued_at: float | None = None
    scopes: tuple[str, ...] = ()
    client_id: str | None = None
    clock_skew_s: float | None = None  # the server's clock minus ours, when it was issued
    earliest_refresh_at: float | None = None
    id_token: Secret | None = None  # kept only as the hint for the account's next sign-in, where no name is known

    def may_refresh(self, now: float) -> bool:
        """Whether its server allows a refresh at `now`."""
        return self.earliest_refresh_at is None or now >= self.earliest_refresh_at


Credential = ApiKey | OAuthToken


@dataclass(frozen=True, slots=True)
class Presented:
    """Written before a refresh token is sent, cleared once the answer is stored (RFC 9700 §4.14.2)."""

    refresh_token_hash: str  # SHA-256, hexadecimal
    at: float


@dataclass(frozen=True, slots=True)
class NeedsLogin:
    """A refresh token that is used up or invalid. Applies to that very token: a newer one clears it."""

    refresh_token_hash: str
    error: str  # the OAuth `error` code, or `ambiguous` if the answer was lost
    at: float


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider does not accept this credential from third-party tools; no workaround is tried."""

    credential_hash: str
    signature: str  # the kind of refusal, a stable name: "claude_code_only", "org_not_allowed", …
    message: str  # the provider's own text, shortened
    at: float


EntrySource = Literal["own", "older-store", "ant-profile"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored credential with everything known about it. Its `repr` shows no secret."""

    provider: str
    account: str
    credential: Credential
    billing: Billing
    origin: str | None = None  # scheme://host[:port] that it belongs to; None: the provider's, as configured
    obtained_at: float | None = None
    refreshed_at: float | None = None
    proven_at: float | None = None  # when the provider last accepted it
    presented: Presented | None = None
    needs_login: NeedsLogin | None = None
    refused: Refused | None = None
    is_active: bool = True  # is it the provider's active account?
    terms_acknowledged_at: float | None = None
    label: str = ""  # the account's name at the provider, if known
    spend_cap: str = ""  # how much it may spend, as the provider told when it was obtained
    subject: str = ""  # the account's id there (`sub`), from a checked ID token
    source: EntrySource = "own"
    extra: dict[str, str] = field(
        default_factory=dict, repr=False
    )  # fields of newer releases: kept, not interpreted

    @property
    def is_set_up(self) -> bool:
        """Did the user add it? What an earlier release left, or another tool stores, was only found.

        A refresh copies a found sign-in into our store, which doesn't count as adding it: `obtained_at` is None.
        """
        return self.source == "own" and self.obtained_at is not None


def new_entry(provider: str, account: str | None, credential: Credential, billing: Billing) -> Entry:
    """Return an entry of the named account, for None the default one. Raises `ValueError` for a bad name."""
    account = DEFAULT_ACCOUNT if account is None else account
    return Entry(_name("provider", provider), _name("account", account), credential, billing)


def as_secret(value: Secret | str) -> Secret:
    """Return a credential wrapped. Raises `ValueError` for an empty one."""
    secret = value if isinstance(value, Secret) else Secret(value)
    if not secret:
        raise ValueError("an empty credential can't be stored")
    return secret


def _name(what: str, name: str) -> str:
    if not name or len(name) > 200 or not name.isprintable():
        raise ValueError(f"a name of a{'n' if what == 'account' else ''} {what} has 1 to 200 printable characters")
    return name
