"""Register a public client at an authorisation server (RFC 7591), for one redirect to this machine (RFC 8252)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llm_orc.auth.oauth.endpoint import LARGEST_BODY, checked, json_object, server_error
from llm_orc.auth.oauth.metadata import LIMIT_S
from llm_orc.errors import LoginFailed
from llm_orc.net.transport import TransportError

if TYPE_CHECKING:
    from llm_orc.auth.oauth.client import OAuthClient
    from llm_orc.jsontypes import JsonValue
    from llm_orc.net.transport import Transport

_NAME = "LLM Orchestra"
_LONGEST_ID = 512


async def register_client(client: OAuthClient, redirect_uri: str, transport: Transport) -> str:
    """Return the id of a new client of ours that may be redirected to `redirect_uri`.

    Raises `LoginFailed` if the server registers none, or only clients that keep a secret, which a program on its
    user's machine can't (RFC 8252 §8.5).
    """
    url = checked(client.registration_endpoint, "registration_endpoint", client.provider)
    asked: dict[str, JsonValue] = {
        "client_name": _NAME,
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    }
    if client.scopes:
        asked["scope"] = " ".join(client.scopes)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    try:
        answer = await transport.send(
            "POST", url, headers, json.dumps(asked).encode(), limit_s=LIMIT_S, most_bytes=LARGEST_BODY
        )
    except TransportError as e:
        raise _refused(client, e.reason) from e
    said = json_object(answer)
    client_id = None if said is None else said.get("client_id")
    if answer.status not in {200, 201} or not isinstance(client_id, str) or not _is_client_id(client_id):
        raise _refused(client, str(server_error(said, {}) or f"status {answer.status}"))
    if said is not None and said.get("token_endpoint_auth_method", "none") != "none":
        raise _refused(client, "it registers only clients that keep a secret")
    return client_id


def _is_client_id(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_ID and text.isascii() and text.isprintable() and " " not in text


def _refused(client: OAuthClient, why: str) -> LoginFailed:
    return LoginFailed(
        f"the server where `{client.provider}` signs in registered no client: {why}", error="registration"
    )
