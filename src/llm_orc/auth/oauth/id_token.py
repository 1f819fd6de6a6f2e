"""The ID token of a sign-in (OpenID Connect Core §3.1.3.7): whose account it is, signed by the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_orc.auth.oauth.endpoint import LARGEST_BODY, checked, json_object, shown
from llm_orc.dataclass import dataclass
from llm_orc.errors import LoginFailed
from llm_orc.net.text import one_line
from llm_orc.net.transport import TransportError

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

    from llm_orc.auth.oauth.client import OAuthClient
    from llm_orc.auth.oauth.token_endpoint import TokenResponse
    from llm_orc.net.transport import Transport

LIMIT_S = 15.0
_LEEWAY_S = 60
_LONGEST_SUBJECT = 255  # OpenID Connect Core §2
_LONGEST_NAME = 200
_ALGORITHMS = ("RS256",)  # the one that every server must offer (§15.1)


@dataclass(frozen=True, slots=True)
class Identity:
    """The account that signed in: `subject` is its id at this issuer, `name` what its owner knows it by."""

    subject: str
    name: str = ""


async def identity_of(client: OAuthClient, transport: Transport, token: TokenResponse, nonce: str) -> Identity:
    """Check the ID token of a token response: signature, issuer, audience, expiry and nonce.

    `client` has the client id that the tokens were issued to. Raises `LoginFailed`, also if there are no keys.
    """
    if token.id_token is None:
        raise _unproven(client, "it sent no ID token")
    keys = await _keys(client, transport)
    # By the clock of the server: the token has just come from it, and this machine's clock may be wrong.
    now = token.received_at + (token.date_skew_s or 0.0)
    return _identity(client, _claims(client, token.id_token.reveal(), keys, nonce, now))


def _claims(client: OAuthClient, id_token: str, keys: KeySet, nonce: str, now: float) -> dict[str, Any]:
    from joserfc import jwt  # noqa: PLC0415 - heavy: checks of signatures
    from joserfc.errors import JoseError  # noqa: PLC0415

    registry = jwt.JWTClaimsRegistry(
        now=int(now),
        leeway=_LEEWAY_S,
        iss={"essential": True, "value": client.issuer or ""},
        aud={"essential": True, "value": client.client_id or ""},
        exp={"essential": True},
        sub={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        claims = jwt.decode(id_token, keys, algorithms=_ALGORITHMS).claims
        registry.validate(claims)
    except (JoseError, ValueError, TypeError) as e:
        raise _unproven(client, f"its ID token is not valid ({one_line(str(e))})") from None
    if not isinstance(claims["iss"], str) or not isinstance(claims["nonce"], str):
        raise _unproven(client, "its ID token has a list where one value belongs")
    # More audiences than ours: then the token must say that it was made for us (§3.1.3.7, 4 and 5).
    others = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (others or "azp" in claims) and claims.get("azp") != client.client_id:
        raise _unproven(client, "its ID token was made for another client (`azp`)")
    return claims


def _identity(client: OAuthClient, claims: dict[str, Any]) -> Identity:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise _unproven(client, "its ID token names no account (`sub`)")
    name = claims.get("email") or claims.get("preferred_username") or ""
    is_fit = isinstance(name, str) and len(name) <= _LONGEST_NAME and name.isprintable()
    return Identity(subject, name if is_fit else "")


async def _keys(client: OAuthClient, transport: Transport) -> KeySet:
    """Fetch the server's keys (RFC 7517) anew: sign-ins are rare, and keys are rotated."""
    from joserfc.errors import JoseError  # noqa: PLC0415 - heavy: checks of signatures
    from joserfc.jwk import KeySet  # noqa: PLC0415

    url = checked(client.jwks_uri, "jwks_uri", client.provider)
    try:
        answer = await transport.send(
            "GET", url, {"Accept": "application/json"}, limit_s=LIMIT_S, most_bytes=LARGEST_BODY
        )
    except TransportError as e:
        raise _unproven(client, f"its keys can't be fetched: {shown(e.reason, {})}") from None
    document = json_object(answer)
    if answer.status != 200 or document is None or not isinstance(document.get("keys"), list):
        raise _unproven(client, f"`{url}` answered with status {answer.status} and no keys")
    usable = [key for key in document["keys"] if isinstance(key, dict) and key.get("kty") == "RSA"]
    try:
        return KeySet.import_key_set({"keys": usable})
    except (JoseError, ValueError, TypeError, KeyError) as e:
        raise _unproven(client, f"its keys can't be read ({one_line(str(e))})") from None


def _unproven(client: OAuthClient, why: str) -> LoginFailed:
    return LoginFailed(
        f"the sign-in server of provider `{client.provider}` did not prove whose account it is: {why}",
        hint="Sign in again. If that does not help, check this machine's clock, and whether something between it"
        " and the provider changes answers.",
        error="id_token",
    )
