"""A server's own description of its endpoints: RFC 8414, then OpenID Connect Discovery 1.0 §4."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llm_orc.auth.oauth.addresses import problem_of
from llm_orc.auth.oauth.endpoint import LARGEST_BODY, json_object, shown
from llm_orc.errors import LoginFailed
from llm_orc.net.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from llm_orc.auth.oauth.client import OAuthClient
    from llm_orc.net.transport import Transport

LIMIT_S = 15.0
_ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "device_authorization_endpoint",
)
_KEYS = "jwks_uri"
_REGISTRATION = "registration_endpoint"


async def resolve(client: OAuthClient, transport: Transport, needs: Collection[str] = _ENDPOINTS) -> OAuthClient:
    """Fill in the endpoints that are not configured. Configured ones stay.

    Sends no request if everything that the caller `needs` is configured. Raises `LoginFailed` if the metadata
    can't be fetched or trusted.
    """
    wanted = (*needs, _KEYS) if client.requires_id_token else needs
    if client.issuer is None or all(getattr(client, name) is not None for name in wanted):
        return client
    urls = metadata_urls(client.issuer)
    # Where ID tokens are checked, the server speaks OpenID Connect: its own document is the one to believe.
    metadata = await _fetch(
        client.issuer, client.provider, transport, urls[::-1] if client.requires_id_token else urls
    )
    found = {name: _endpoint(metadata, name, client.provider) for name in (*_ENDPOINTS, _KEYS, _REGISTRATION)}
    methods = metadata.get("code_challenge_methods_supported")
    promised = metadata.get("authorization_response_iss_parameter_supported") is True  # RFC 9207 §3
    return replace(
        client,
        authorization_endpoint=client.authorization_endpoint or found["authorization_endpoint"],
        token_endpoint=client.token_endpoint or found["token_endpoint"],
        revocation_endpoint=client.revocation_endpoint or found["revocation_endpoint"],
        device_authorization_endpoint=(
            client.device_authorization_endpoint or found["device_authorization_endpoint"]
        ),
        jwks_uri=client.jwks_uri or found[_KEYS],
        registration_endpoint=client.registration_endpoint or found[_REGISTRATION],
        promises_pkce=isinstance(methods, list) and "S256" in methods,
        requires_iss=client.requires_iss or promised,
    )


def metadata_urls(issuer: str) -> tuple[str, str]:
    """Return the URLs to try: well-known before the issuer's path (RFC 8414 §3.1), or after it (OpenID §4.1)."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}{path}/.well-known/openid-configuration",
    )


async def _fetch(issuer: str, provider: str, transport: Transport, urls: Iterable[str]) -> Mapping[str, Any]:
    problem = problem_of(issuer) or ("it must have no `?` part" if "?" in issuer else "")  # RFC 8414 §2
    if problem:
        raise _unusable(provider, f"its issuer `{shown(issuer.rpartition('@')[2], {})}` can't be used: {problem}")
    reasons: list[str] = []
    for url in urls:
        try:
            answer = await transport.send(
                "GET", url, {"Accept": "application/json"}, limit_s=LIMIT_S, most_bytes=LARGEST_BODY
            )
        except TransportError as e:
            reasons.append(f"`{url}`: {shown(e.reason, {})}")
            continue
        metadata = json_object(answer)
        if answer.status != 200 or metadata is None:
            reasons.append(f"`{url}`: status {answer.status}{'' if answer.status != 200 else ', not JSON'}")
            continue
        if metadata.get("issuer") != issuer:  # §3.3: identical, or it must not be used
            said = shown(str(metadata.get("issuer")), {})
            raise _unusable(provider, f"`{url}` describes issuer `{said}`, not `{issuer}`")
        return metadata
    raise _unusable(provider, f"its sign-in server does not describe itself ({'; '.join(reasons)})")


def _endpoint(metadata: Mapping[str, Any], name: str, provider: str) -> str | None:
    url = metadata.get(name)
    if url is None:
        return None
    if not isinstance(url, str) or (problem := problem_of(url)):
        problem = problem if isinstance(url, str) else "it is not text"
        raise _unusable(
            provider, f"the `{name}` that its server names, `{shown(str(url), {})}`, can't be used: {problem}"
        )
    return url


def _unusable(provider: str, what: str) -> LoginFailed:
    return LoginFailed(
        f"the sign-in of provider `{provider}` can't be set up: {what}",
        hint=f"Check `providers.{provider}.oauth.issuer`, or set the endpoints there one by one.",
        error="metadata",
    )
