"""The clients that sign-ins register: what an account's sign-in starts with, and what is kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.access.credentials import open_credentials
from llm_orc.auth.credential import DEFAULT_ACCOUNT, Entry, OAuthToken
from llm_orc.auth.oauth.client import KnownAccount, SignInRequest
from llm_orc.auth.registrations import Registration, Registrations

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.auth.oauth.client import OAuthClient
    from llm_orc.auth.secret import Secret


def open_registrations(app: App) -> Registrations:
    """Return the clients that sign-ins have registered, and this machine's id; nothing is read yet."""
    return Registrations(app.paths.state / "registrations.json")


def request_of(app: App, client: OAuthClient, account: str | None, *, asks_consent: bool) -> SignInRequest:
    """Return what the account's sign-in asks for: with the client that it already has, if it has one.

    Raises `CredentialStoreError`.
    """
    registrations = open_registrations(app)
    return SignInRequest(
        registrations.host_id() if client.host_id_param else "",
        _known(app, client, account or DEFAULT_ACCOUNT) if client.registers_client else None,
        asks_consent,
    )


def keep_client(app: App, client: OAuthClient, account: str | None, client_id: str, *, subject: str = "") -> None:
    """Keep the client that an account's sign-in has registered. Raises `CredentialStoreError`."""
    open_registrations(app).keep(
        Registration(
            client.provider, account or DEFAULT_ACCOUNT, _server(client), client_id, subject, client.resource or ""
        )
    )


def _known(app: App, client: OAuthClient, account: str) -> KnownAccount | None:
    entry = open_credentials(app).get(client.provider, account)
    token = entry.credential if entry is not None and isinstance(entry.credential, OAuthToken) else None
    kept = open_registrations(app).of(client.provider, account, _server(client))
    if kept is not None:
        return KnownAccount(kept.client_id, kept.subject, *_hints(entry, token, kept.subject))
    if entry is None or token is None or token.client_id is None:
        return None
    # The store was copied from another machine: an account's client is the same on all of them.
    return KnownAccount(token.client_id, entry.subject, *_hints(entry, token, entry.subject))


def _hints(entry: Entry | None, token: OAuthToken | None, subject: str) -> tuple[str, Secret | None]:
    if entry is None or token is None or entry.subject != subject:
        return "", None
    return entry.label, token.id_token


def _server(client: OAuthClient) -> str:
    return client.issuer or client.token_endpoint or ""
