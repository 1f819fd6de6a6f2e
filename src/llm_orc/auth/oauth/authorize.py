"""The authorisation request and its response (RFC 6749 §4.1.1-§4.1.2, RFC 9207): a URL out, one code back."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from llm_orc.auth.oauth.client import SignInRequest
from llm_orc.auth.oauth.endpoint import checked, shown
from llm_orc.auth.oauth.pkce import base64url, new_pkce
from llm_orc.auth.oauth.token_endpoint import client_id_of
from llm_orc.auth.secret import Secret
from llm_orc.dataclass import dataclass
from llm_orc.errors import LoginFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.auth.oauth.client import OAuthClient

_STATE_BYTES = 32
_LONGEST_RESPONSE = 8192  # characters of a query or of pasted text
_LONGEST_CLIENT_ID = 512
_PLAIN = SignInRequest()


class NotOurs(LoginFailed):
    """A response that does not belong to this sign-in. It is ignored; the right one may still come."""


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """A code, and what is sent with it to the token endpoint. `nonce` is what the ID token must repeat."""

    code: Secret
    verifier: Secret
    redirect_uri: str
    state: Secret
    client_id: str
    nonce: str


class AuthorizationAttempt:
    """One sign-in at one server: its `url`, and the one response that it accepts.

    State, nonce and verifier are new for each attempt (RFC 7636 §7.1), and the state is valid for one response.
    """

    def __init__(
        self,
        client: OAuthClient,
        redirect_uri: str,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        request: SignInRequest = _PLAIN,
    ) -> None:
        self._client = client
        self._request = request
        self._known = request.account if client.registers_client else None
        self._pkce = new_pkce(random_bytes)
        self._state = Secret(base64url(random_bytes(_STATE_BYTES)))
        self._nonce = base64url(random_bytes(_STATE_BYTES)) if client.requires_id_token else ""
        self._is_used = False
        self.redirect_uri = redirect_uri
        self.url = self._authorize_url()

    def accept_query(self, query: str) -> AuthorizationCode:
        """Read the query of a redirect. Raises `NotOurs`, or `LoginFailed` if the server refused."""
        if len(query) > _LONGEST_RESPONSE:
            raise self._not_ours("is too long", "too_long")
        return self._accept(_fields(query))

    def accept_pasted(self, text: str) -> AuthorizationCode:
        """Read pasted text: the whole redirect URL, `code#state`, or the code alone.

        A code alone has no state: PKCE, and the fact that it is entered here, tie it to this attempt
        (RFC 9700 §2.1.1).
        """
        text = "".join(text.split())  # a terminal may have wrapped it
        if not text or len(text) > _LONGEST_RESPONSE:
            raise self._not_ours("is empty" if not text else "is too long", "unreadable")
        if "://" in text:
            return self._accept(_fields(_query_of(text)))
        if "=" in text and "code=" in text:
            return self._accept(_fields(text.lstrip("?")))
        code, has_state, state = text.partition("#")
        fields = {"code": code, "state": state if has_state else self._state.reveal()}
        return self._accept(fields)

    def _accept(self, fields: dict[str, str]) -> AuthorizationCode:
        # The state is checked first: without it nothing in the response can be trusted, not even an error.
        state = fields.get("state", "")
        if not secrets.compare_digest(state.encode(), self._state.reveal().encode()):
            problem = "belongs to another sign-in (its `state` is not ours)" if state else "has no `state`"
            raise self._not_ours(problem, "state_mismatch")
        if self._is_used:
            raise self._not_ours("was already used", "state_reused")
        self._is_used = True
        self._check_issuer(fields.get("iss"))
        if error := fields.get("error"):
            raise self._refused(error, fields.get("error_description", ""))
        if not (code := fields.get("code")):
            raise LoginFailed(
                f"the sign-in page of provider `{self._client.provider}` sent neither a code nor an error",
                hint="Sign in again.",
                error="no_code",
            )
        client_id = self._client_of(fields.get("client_id"))
        return AuthorizationCode(
            Secret(code), self._pkce.verifier, self.redirect_uri, self._state, client_id, self._nonce
        )

    def _client_of(self, issued: str | None) -> str:
        """Return the client that the code was issued to: ours, or the one that the redirect names."""
        provider = self._client.provider
        if not self._client.registers_client:
            return client_id_of(self._client)
        if self._known is not None:
            if issued is not None and issued != self._known.client_id:
                raise LoginFailed(
                    f"the sign-in page of provider `{provider}` registered another client than the one that this"
                    " account already has here, so it was not used",
                    hint=f"To sign in with another account, name it: `llm-orc auth add {provider} --account NAME`."
                    f" To start over with this one: `llm-orc auth remove {provider}`.",
                    error="client_changed",
                )
            return self._known.client_id
        if issued is None or issued == self._client.client_id or not _is_client_id(issued):
            raise LoginFailed(
                f"the registration at provider `{provider}` is incomplete: the sign-in page named no new client",
                hint="Sign in again; if you pasted a code, paste the whole address of the page on which the"
                " browser ends.",
                error="registration_incomplete",
            )
        return issued

    def _check_issuer(self, iss: str | None) -> None:
        """Check RFC 9207 §2.4: `iss` is exactly our issuer, and present if the server promised to send it."""
        provider, expected = self._client.provider, self._client.issuer
        if iss is None:
            if self._client.requires_iss:
                raise LoginFailed(
                    f"the sign-in response of provider `{provider}` does not say which server it is from (`iss`)",
                    hint="Sign in again; if you pasted a code, paste the whole address of the page it is on.",
                    error="iss_missing",
                )
        elif expected is not None and iss != expected:
            raise LoginFailed(
                f"the sign-in response is from `{shown(iss, {})}`, not from `{expected}`, where provider "
                f"`{provider}` signs in, so it was not used",
                hint="Sign in again, and only on the page that opens.",
                error="iss_mismatch",
            )

    def _refused(self, error: str, words: str) -> LoginFailed:
        error, words = shown(error, self._secrets()), shown(words, self._secrets())
        said = f"`{error}` ({words})" if words else f"`{error}`"
        if error == "access_denied":
            return LoginFailed(
                f"the sign-in at provider `{self._client.provider}` was declined: {said}",
                hint="Sign in again and allow it.",
                error=error,
            )
        return LoginFailed(
            f"the sign-in page of provider `{self._client.provider}` answered {said}",
            hint="Try again later." if error in {"server_error", "temporarily_unavailable"} else None,
            error=error,
        )

    def _not_ours(self, problem: str, error: str) -> NotOurs:
        return NotOurs(
            f"the answer for provider `{self._client.provider}` {problem} and was ignored",
            hint="Use the page that this sign-in opened.",
            error=error,
        )

    def _secrets(self) -> dict[str, str | Secret]:
        return {"state": self._state, "code_verifier": self._pkce.verifier}

    def _authorize_url(self) -> str:
        client = self._client
        base = checked(client.authorization_endpoint, "authorization_endpoint", client.provider)
        params = {
            **client.extra_authorize_params,
            **self._params_of_request(),
            "response_type": "code",
            "client_id": self._known.client_id if self._known else client_id_of(client),
            "redirect_uri": self.redirect_uri,
            "state": self._state.reveal(),
            "code_challenge": self._pkce.challenge,
            "code_challenge_method": "S256",
        }
        if client.scopes:
            params["scope"] = " ".join(client.scopes)
        if client.resource:
            params["resource"] = client.resource  # RFC 8707 §2.1
        if self._nonce:
            params["nonce"] = self._nonce  # OpenID Connect Core §3.1.2.1, as the hints below
        return with_query(base, params)

    def _params_of_request(self) -> dict[str, str]:
        client, request = self._client, self._request
        params: dict[str, str] = {}
        if client.registers_client and self._known is None:
            params |= client.registration_params
        if client.host_id_param and request.host_id:
            params[client.host_id_param] = request.host_id
        if request.asks_consent:
            params["prompt"] = "consent"
        if self._known is not None and self._known.login_hint:
            params["login_hint"] = self._known.login_hint
        elif self._known is not None and self._known.id_token_hint is not None:
            params["id_token_hint"] = self._known.id_token_hint.reveal()
        return params


def with_query(url: str, params: dict[str, str]) -> str:
    """Add parameters to a URL and keep its own query (RFC 6749 §3.1)."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(params)}"


def _is_client_id(text: str) -> bool:
    """RFC 6749, appendix A.1, without spaces."""
    return len(text) <= _LONGEST_CLIENT_ID and text.isascii() and text.isprintable() and " " not in text


def _query_of(url: str) -> str:
    try:
        return urlsplit(url).query
    except ValueError:
        return ""


def _fields(query: str) -> dict[str, str]:
    """Return the parameters that appear once; a repeated one counts as missing (RFC 6749 §3.1)."""
    pairs = parse_qsl(query, keep_blank_values=False, max_num_fields=None)
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1}
