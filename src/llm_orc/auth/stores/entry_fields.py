"""Convert an entry to the JSON that is encrypted, and back. Fields of newer releases are kept in `extra`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llm_orc.auth.access import Billing
from llm_orc.auth.credential import ApiKey, Credential, Entry, NeedsLogin, OAuthToken, Presented, Refused
from llm_orc.auth.secret import Secret

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue

Fields = dict[str, "JsonValue"]

_PLAIN = (
    "origin",
    "obtained_at",
    "refreshed_at",
    "proven_at",
    "terms_acknowledged_at",
    "label",
    "spend_cap",
    "subject",
    "is_active",
)
_MARKS: dict[str, Any] = {"presented": Presented, "needs_login": NeedsLogin, "refused": Refused}
_NUMBERS = (
    "obtained_at",
    "refreshed_at",
    "proven_at",
    "terms_acknowledged_at",
    "expires_at",
    "issued_at",
    "at",
    "clock_skew_s",
    "earliest_refresh_at",
)
_TIMES = ("expires_at", "issued_at", "clock_skew_s", "earliest_refresh_at")  # of a token
_KNOWN = {
    *("provider", "account", "kind", "billing", *_PLAIN, *_MARKS),
    *("key", "access_token", "refresh_token", "id_token", "scopes", "client_id", *_TIMES),
}


class NotUnderstood(Exception):
    """An entry that this release can't read: most likely one of a newer release."""


def to_fields(entry: Entry) -> Fields:
    fields: Fields = {name: json.loads(text) for name, text in entry.extra.items()}
    fields |= {"provider": entry.provider, "account": entry.account, "billing": entry.billing.value}
    fields |= _credential_fields(entry.credential)
    for name in _PLAIN:
        fields[name] = getattr(entry, name)
    for name in _MARKS:
        if (mark := getattr(entry, name)) is not None:
            fields[name] = {part: getattr(mark, part) for part in mark.__dataclass_fields__}
    return fields


def from_fields(fields: Fields) -> Entry:
    """Read an entry. Raises `NotUnderstood`, which quotes nothing."""
    try:
        plain: dict[str, Any] = {name: fields[name] for name in _PLAIN if name in fields}
        marks: dict[str, Any] = {
            name: _mark(kind, fields[name]) for name, kind in _MARKS.items() if name in fields
        }
        return Entry(
            provider=_text(fields["provider"]),
            account=_text(fields["account"]),
            credential=_credential(fields),
            billing=Billing(_text(fields["billing"])),
            extra={name: json.dumps(value) for name, value in fields.items() if name not in _KNOWN},
            **_checked(plain),
            **marks,
        )
    except (KeyError, TypeError, ValueError):
        raise NotUnderstood from None


def _credential_fields(credential: Credential) -> Fields:
    match credential:
        case ApiKey(key):
            return {"kind": "api-key", "key": key.reveal()}
        case OAuthToken():
            refresh, id_token = credential.refresh_token, credential.id_token
            return {
                "kind": "oauth",
                "access_token": credential.access_token.reveal(),
                "refresh_token": refresh.reveal() if refresh else None,
                "id_token": id_token.reveal() if id_token else None,
                "scopes": list(credential.scopes),
                "client_id": credential.client_id,
                **{name: getattr(credential, name) for name in _TIMES},
            }


def _credential(fields: Fields) -> Credential:
    match fields["kind"]:
        case "api-key":
            return ApiKey(Secret(_text(fields["key"])))
        case "oauth":
            refresh, id_token = fields.get("refresh_token"), fields.get("id_token")
            client_id, scopes = fields.get("client_id"), fields.get("scopes")
            times = _checked({name: fields.get(name) for name in _TIMES})
            if not isinstance(scopes, list):
                raise TypeError
            return OAuthToken(
                access_token=Secret(_text(fields["access_token"])),
                refresh_token=Secret(_text(refresh)) if refresh is not None else None,
                id_token=Secret(_text(id_token)) if id_token is not None else None,
                scopes=tuple(_text(scope) for scope in scopes),
                client_id=_text(client_id) if client_id is not None else None,
                **times,
            )
        case _:
            raise NotUnderstood


def _mark(kind: Any, value: JsonValue) -> Any:
    if not isinstance(value, dict):
        raise TypeError
    return kind(**_checked(value))


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """Return `values`, each of the type that its name has everywhere in an entry."""
    for name, value in values.items():
        if name in _NUMBERS:
            fits = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        elif name == "is_active":
            fits = isinstance(value, bool)
        else:
            fits = isinstance(value, str) or (name == "origin" and value is None)
        if not fits:
            raise TypeError
    return values


def _text(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
