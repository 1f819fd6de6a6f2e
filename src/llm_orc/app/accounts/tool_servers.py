"""Sign-ins to servers of tools: our clients at the authorisation servers that they were made at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.accounts.registration import open_registrations
from llm_orc.auth.oauth.client import OAuthClient

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.auth.credential import Entry


def client_of_entry(app: App, entry: Entry) -> OAuthClient | None:
    """Return our client at the authorisation server that the sign-in was made at.

    None: it is not known any more. Raises `CredentialStoreError`.
    """
    kept = open_registrations(app).newest(entry.provider, entry.account)
    if kept is None:
        return None
    return OAuthClient(entry.provider, kept.client_id, issuer=kept.issuer, resource=kept.resource or None)
