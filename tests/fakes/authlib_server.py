"""Authlib as an authorisation server that somebody else wrote: code with PKCE, rotating refresh, revocation."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9207 import IssuerParameter

from tests.fakes.scripted_server import Asked, Reply, Scripted

CLIENT_ID = "native-app"
SCOPES = ("chat", "profile")


@dataclass
class Client:
    """A public client with a loopback redirect on any port (RFC 8252 §7.3)."""

    client_id: str = CLIENT_ID

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        return None

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(name for name in scope.split() if name in SCOPES)

    def check_redirect_uri(self, uri: str) -> bool:
        return uri.startswith(("http://127.0.0.1:", "http://[::1]:"))

    def check_client_secret(self, secret: str) -> bool:
        return False

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "none"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in {"authorization_code", "refresh_token"}


@dataclass
class Code:
    redirect_uri: str
    scope: str
    code_challenge: str | None
    code_challenge_method: str | None

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@dataclass
class Token:
    access_token: str
    refresh_token: str
    scope: str
    is_revoked: bool = False

    def check_client(self, client: Client) -> bool:
        return client.client_id == CLIENT_ID

    def get_scope(self) -> str:
        return self.scope

    def get_expires_in(self) -> int:
        return 3600

    def is_expired(self) -> bool:
        return False


@dataclass
class Answered:
    """Authlib's extensions change `location` after the fact."""

    status: int
    body: Any
    headers: dict[str, str]
    location: str | None = None


@dataclass
class Issued:
    codes: dict[str, Code] = field(default_factory=dict)
    tokens: list[Token] = field(default_factory=list)
    is_denied: bool = False


class _Request(OAuth2Request):
    def __init__(self, asked: Asked) -> None:
        # Authlib wants https; that the test's socket is plain is no part of what it judges.
        super().__init__(asked.method, f"https://as.test{asked.target}", headers=asked.headers)
        self._fields = {"args": asked.query, "form": asked.form if asked.method == "POST" else {}}
        self.payload = BasicOAuth2Payload({**self._fields["args"], **self._fields["form"]})

    @property
    def args(self) -> dict[str, str]:
        return self._fields["args"]

    @property
    def form(self) -> dict[str, str]:
        return self._fields["form"]


class _Server(AuthorizationServer):
    def __init__(self, issued: Issued) -> None:
        super().__init__(scopes_supported=list(SCOPES))
        self.issued = issued
        generator = BearerTokenGenerator(
            lambda **_: secrets.token_urlsafe(24), lambda **_: secrets.token_urlsafe(24), lambda *_: 3600
        )
        self.register_token_generator("default", generator)

    def query_client(self, client_id: str) -> Client | None:
        return Client() if client_id == CLIENT_ID else None

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        self.issued.tokens.append(Token(token["access_token"], token["refresh_token"], token.get("scope", "")))

    def create_oauth2_request(self, request: Any) -> OAuth2Request:
        return request if isinstance(request, OAuth2Request) else _Request(request)

    def handle_response(self, status: int, body: Any, headers: Any) -> Answered:
        names = dict(headers)
        return Answered(status, body, names, names.get("Location"))

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        return


class _CodeGrant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = ["none"]

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        asked = request.payload
        self.server.issued.codes[code] = Code(
            asked.redirect_uri,
            asked.scope or "",
            asked.data.get("code_challenge"),
            asked.data.get("code_challenge_method"),
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        issued: Issued = self.server.issued
        return issued.codes.get(code)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        codes = self.server.issued.codes
        for name in [name for name, code in codes.items() if code is authorization_code]:
            del codes[name]

    def authenticate_user(self, authorization_code: Code) -> str:
        return "ada"


class _RefreshGrant(RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = ["none"]
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        return _find(self.server.issued, refresh_token)

    def authenticate_user(self, refresh_token: Token) -> str:
        return "ada"

    def revoke_old_credential(self, refresh_token: Token) -> None:
        refresh_token.is_revoked = True


class _Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS: ClassVar[list[str]] = ["none"]

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:
        return _find(self.server.issued, token_string)

    def revoke_token(self, token: Token, request: OAuth2Request) -> None:
        token.is_revoked = True


class _Issuer(IssuerParameter):
    issuer = ""

    def get_issuer(self) -> str:
        return self.issuer


def _find(issued: Issued, text: str) -> Token | None:
    found = (t for t in issued.tokens if text in {t.access_token, t.refresh_token} and not t.is_revoked)
    return next(found, None)


def install(server: Scripted) -> Issued:
    """Put Authlib behind `/authorize`, `/token`, `/revoke` and the metadata of `server`."""
    issued = Issued()
    authlib = _Server(issued)
    authlib.register_grant(_CodeGrant, [CodeChallenge(required=True)])
    authlib.register_grant(_RefreshGrant)
    authlib.register_endpoint(_Revocation)
    issuer = type("Issuer", (_Issuer,), {"issuer": server.url})
    issuer()(authlib)

    def authorize(asked: Asked) -> Reply:
        request = _Request(asked)
        grant = authlib.get_consent_grant(request, end_user="ada")
        user = None if issued.is_denied else "ada"
        return _reply(authlib.create_authorization_response(request, grant_user=user, grant=grant))

    def answered(respond: Callable[[Asked], Answered]) -> Callable[[Asked], Reply]:
        return lambda asked: _reply(respond(asked))

    server.on("/authorize", authorize)
    server.on("/token", answered(authlib.create_token_response))
    server.on("/revoke", answered(lambda asked: authlib.create_endpoint_response("revocation", asked)))
    server.on(
        "/.well-known/oauth-authorization-server",
        Reply(
            {
                "issuer": server.url,
                "authorization_endpoint": f"{server.url}/authorize",
                "token_endpoint": f"{server.url}/token",
                "revocation_endpoint": f"{server.url}/revoke",
                "authorization_response_iss_parameter_supported": True,
                "code_challenge_methods_supported": ["S256"],
            }
        ),
    )
    return issued


def _reply(answered: Answered) -> Reply:
    headers = {name: value for name, value in answered.headers.items() if name.lower() != "content-type"}
    if answered.location is not None:
        headers["Location"] = answered.location
    headers["Date"] = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    body = answered.body if isinstance(answered.body, str) else json.dumps(answered.body)
    return Reply(body.encode(), answered.status, headers)
