"""The sandbox's ID tokens (OpenID Connect Core §2): its pretend person, signed with a key of this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

LIFETIME_S = 3600
_KEY_BITS = 2048
_KID, _STRANGE_KID = "sandbox-key", "sandbox-key-of-nobody"


@dataclass(frozen=True, slots=True)
class Person:
    """Whose account it is. `subject` is its id for clients."""

    subject: str = "sandbox-person"
    email: str = "person@sandbox.example"
    name: str = "A pretend person"


@dataclass(frozen=True, slots=True)
class AlteredIdToken:
    """A fault of the token endpoint: these claims replace those of the ID token; None removes a claim.

    `by_another_key`: the signature is of a key that the server does not publish.
    """

    claims: Mapping[str, JsonValue] = field(default_factory=dict)
    by_another_key: bool = False


@dataclass(frozen=True, slots=True)
class Occasion:
    """What an ID token is made for: one exchange of a code."""

    issuer: str
    client_id: str
    nonce: str
    at: float  # Unix seconds
    with_email: bool = True


def id_token(person: Person, occasion: Occasion, fault: AlteredIdToken | None) -> str:
    """Return the signed token."""
    from joserfc import jwt  # noqa: PLC0415 - heavy: checks of signatures

    claims: dict[str, JsonValue] = {
        "iss": occasion.issuer,
        "sub": person.subject,
        "aud": occasion.client_id,
        "iat": int(occasion.at),
        "exp": int(occasion.at) + LIFETIME_S,
        "nonce": occasion.nonce or None,
        "email": person.email if occasion.with_email else None,
        "name": person.name,
    }
    kid = _STRANGE_KID if fault is not None and fault.by_another_key else _KID
    claims |= fault.claims if fault is not None else {}
    said = {name: value for name, value in claims.items() if value is not None}
    # The header names the published key either way: a forged signature is not admitted by its name.
    return jwt.encode({"alg": "RS256", "kid": _KID}, said, _key(kid), algorithms=["RS256"])


def published_keys() -> dict[str, JsonValue]:
    """Return the document at `jwks_uri` (RFC 7517 §5)."""
    public = _key(_KID).as_dict(private=False)
    return {"keys": [{**{name: str(value) for name, value in public.items()}, "kid": _KID, "use": "sig"}]}


@cache
def _key(kid: str) -> RSAKey:
    from joserfc.jwk import RSAKey  # noqa: PLC0415 - heavy: checks of signatures

    return RSAKey.generate_key(_KEY_BITS, {"kid": kid}, private=True)
