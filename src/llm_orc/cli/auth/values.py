"""What the `auth` commands write with `--json`: names that scripts may rely on, RFC 3339 times, no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.auth.credential import OAuthToken
from llm_orc.formats.figures import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.app.accounts.status import AuthStatus, CredentialStatus
    from llm_orc.auth.credential import Entry
    from llm_orc.jsontypes import JsonValue


def entry_value(entry: Entry) -> dict[str, JsonValue]:
    token = entry.credential if isinstance(entry.credential, OAuthToken) else None
    return {
        "provider": entry.provider,
        "account": entry.account,
        "method": "api-key" if token is None else "oauth",
        "billing": str(entry.billing),
        "label": entry.label or None,
        "spend_cap": entry.spend_cap or None,
        "scopes": list(token.scopes) if token else [],
        "expires_at": _time(token.expires_at if token else None),
        "earliest_refresh_at": _time(token.earliest_refresh_at if token else None),
        "obtained_at": _time(entry.obtained_at),
        "refreshed_at": _time(entry.refreshed_at),
        "proven_at": _time(entry.proven_at),
    }


def credential_value(credential: CredentialStatus) -> dict[str, JsonValue]:
    return {
        "provider": credential.provider,
        "account": credential.account,
        "label": credential.label or None,
        "spend_cap": credential.spend_cap or None,
        "method": credential.method,
        "state": credential.state,
        "why": credential.why,
        "billing": str(credential.billing),
        "place": credential.place,
        "source": credential.source,
        "interactive_only": None if credential.interactive_only is None else str(credential.interactive_only),
        "is_used": credential.is_used,
        "use": credential.use or None,
        "shadows": list(credential.shadows),
        "shadowed_by": credential.shadowed_by,
        "scopes": list(credential.scopes),
        "expires_at": _time(credential.expires_at),
        "obtained_at": _time(credential.obtained_at),
        "refreshed_at": _time(credential.refreshed_at),
        "proven_at": _time(credential.proven_at),
        "terms_acknowledged_at": _time(credential.terms_acknowledged_at),
        "clock_skew_s": credential.clock_skew_s,
        "earliest_refresh_at": _time(credential.earliest_refresh_at),
        "in_use": credential.in_use or None,
        "usage_page": credential.usage_page or None,
        "hint": credential.hint,
    }


def status_value(found: AuthStatus, failures: Mapping[str, str]) -> JsonValue:
    return {
        "store": {
            "path": str(found.store.path),
            "state": found.store.name,
            "protection": str(found.protection) if found.protection else None,
            "words": found.store.words,
        },
        "credentials": [credential_value(credential) for credential in found.credentials],
        "failures": dict(failures),
        "notices": list(found.notices),
    }


def _time(unix_s: float | None) -> JsonValue:
    return None if unix_s is None else moment(unix_s)
