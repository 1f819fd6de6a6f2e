"""The authorisation server's codes, tokens and token families (RFC 6749, RFC 7636, RFC 9700 §4.14)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import field, replace
from typing import TYPE_CHECKING, Literal

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

TokenState = Literal["live", "expired", "revoked", "unknown"]
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636 §4.1


class OAuthProblem(Exception):
    """An error response (RFC 6749 §5.2). `reason` is for the record and more detailed than what a client gets."""

    def __init__(self, error: str, description: str = "", *, status: int = 400, reason: str = "") -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status
        self.reason = reason or description or error


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """The consent of a user, bound to one client, one redirect URI and one challenge."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str  # empty without PKCE
    nonce: str = ""
    resource: str = ""  # that the exchange must name (RFC 8707)
    earliest_refresh_s: float | None = None  # as in `Client`


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """`refresh_token` None: the response omits it, and the client's current one stays valid (RFC 6749 §6)."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in_s: float
    scopes: tuple[str, ...]
    family: int
    nonce: str = ""
    earliest_refresh_at: float | None = None  # Unix seconds, by the sandbox's clock


@dataclass(slots=True)
class Family:
    """All tokens that come from one consent. Reuse of a rotated refresh token revokes them all."""

    number: int
    client_id: str
    scopes: tuple[str, ...]
    earliest_refresh_s: float | None = None
    is_alive: bool = True


@dataclass(frozen=True, slots=True)
class ReuseEvent:
    """A rotated refresh token was used again, and its family was revoked."""

    at: float  # Unix seconds, by the sandbox's clock
    family: int
    refresh_token_hash: str


@dataclass(slots=True)
class _Code:
    request: CodeRequest
    expires_at: float
    family: Family | None = None  # set when the code is redeemed


@dataclass(slots=True)
class _Access:
    family: Family
    expires_at: float
    scopes: tuple[str, ...]
    is_revoked: bool = False


@dataclass(slots=True)
class _Refresh:
    family: Family
    not_before: float | None = None  # an earlier refresh spends it
    spent_at: float | None = None


class Grants:
    """All codes and tokens that were issued, with their states. Every call is atomic."""

    def __init__(
        self,
        *,
        access_token_lifetime_s: float,
        code_lifetime_s: float,
        rotates: bool,
        detects_reuse: bool,
        reuse_grace_s: float,
        omits_refresh_token: bool,
        clock: Callable[[], float],
    ) -> None:
        self.access_token_lifetime_s = access_token_lifetime_s
        self.reuse_events: list[ReuseEvent] = []
        self.tokens_issued = 0
        self.early_refreshes = 0  # refused because they came too early
        self._code_lifetime_s = code_lifetime_s
        self._rotates = rotates and not omits_refresh_token
        self._detects_reuse = detects_reuse
        self._reuse_grace_s = reuse_grace_s
        self._omits_refresh_token = omits_refresh_token
        self._clock = clock
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, _Access] = {}
        self._refresh: dict[str, _Refresh] = {}
        self._families: list[Family] = []

    @property
    def families_alive(self) -> int:
        return sum(family.is_alive for family in self._families)

    def new_code(self, request: CodeRequest) -> str:
        code = f"sandbox-code-{secrets.token_urlsafe(16)}"
        self._codes[code] = _Code(request, self._clock() + self._code_lifetime_s)
        return code

    def new_family(
        self, client_id: str, scopes: tuple[str, ...], earliest_refresh_s: float | None = None
    ) -> IssuedTokens:
        """Start a token family without a code, as the device grant does."""
        family = Family(len(self._families) + 1, client_id, scopes, earliest_refresh_s)
        self._families.append(family)
        return self._issue(family, scopes, self._new_refresh_token(family))

    def redeem(
        self, code: str, client_id: str, redirect_uri: str, verifier: str, resource: str = ""
    ) -> IssuedTokens:
        """Exchange a code, once (RFC 6749 §4.1.3). A second use revokes the tokens of the first (§4.1.2).

        An exchange without the resource that the code is for spends it.
        """
        found = self._codes.get(code)
        if found is None:
            raise OAuthProblem("invalid_grant", "unknown code")
        if found.family is not None:
            found.family.is_alive = False
            raise OAuthProblem("invalid_grant", "the code was used before")
        self._check_code(found, client_id, redirect_uri, verifier)
        request = found.request
        issued = self.new_family(client_id, request.scopes, request.earliest_refresh_s)
        found.family = self._families[issued.family - 1]
        if request.resource and resource != request.resource:
            found.family.is_alive = False
            raise OAuthProblem("invalid_grant", "the code is for another resource, and is spent now")
        return replace(issued, nonce=request.nonce)

    def _check_code(self, code: _Code, client_id: str, redirect_uri: str, verifier: str) -> None:
        request = code.request
        if self._clock() >= code.expires_at:
            raise OAuthProblem("invalid_grant", "the code has expired")
        if request.client_id != client_id:
            raise OAuthProblem("invalid_grant", "the code belongs to another client")
        if request.redirect_uri != redirect_uri:
            raise OAuthProblem("invalid_grant", "redirect_uri is not the one of the authorization request")
        if request.challenge and not _verifies(verifier, request.challenge):
            raise OAuthProblem("invalid_grant", "code_verifier does not match the code_challenge")
        if verifier and not request.challenge:
            raise OAuthProblem("invalid_grant", "code_verifier without a code_challenge (RFC 9700 §2.1.1)")

    def refresh(self, refresh_token: str, client_id: str, scopes: tuple[str, ...] = ()) -> IssuedTokens:
        """Issue new tokens (RFC 6749 §6). Reuse of a rotated refresh token revokes its family."""
        found = self._refresh.get(refresh_token)
        if found is None:
            raise OAuthProblem("invalid_grant", "unknown refresh token")
        family = found.family
        if not family.is_alive:
            raise OAuthProblem("invalid_grant", "the refresh token was revoked", reason="its family was revoked")
        if family.client_id != client_id:
            raise OAuthProblem("invalid_grant", "the refresh token belongs to another client")
        if not set(scopes) <= set(family.scopes):
            raise OAuthProblem("invalid_scope", "the scope is wider than what was granted")
        if found.spent_at is not None:
            self._meet_again(refresh_token, found, found.spent_at)
        elif found.not_before is not None and self._clock() < found.not_before:
            found.spent_at = self._clock()
            self.early_refreshes += 1
            raise OAuthProblem("invalid_grant", "the refresh token can't be used yet, and is spent now")
        if not self._rotates:
            again = None if self._omits_refresh_token else refresh_token
            return self._issue(family, scopes or family.scopes, again)
        if found.spent_at is None:
            found.spent_at = self._clock()
        return self._issue(family, scopes or family.scopes, self._new_refresh_token(family))

    def _meet_again(self, refresh_token: str, found: _Refresh, spent_at: float) -> None:
        now = self._clock()
        if now - spent_at < self._reuse_grace_s:
            return
        if not self._detects_reuse:
            raise OAuthProblem("invalid_grant", "the refresh token was used before")
        found.family.is_alive = False
        self.reuse_events.append(ReuseEvent(now, found.family.number, token_hash(refresh_token)))
        raise OAuthProblem(
            "invalid_grant",
            "the refresh token was used before",
            reason=f"reuse of a spent refresh token: family {found.family.number} is revoked",
        )

    def revoke(self, token: str) -> bool:
        """Revoke a refresh token's whole family, or one access token (RFC 7009 §2.1).

        Returns False if the token is unknown or already invalid.
        """
        refresh = self._refresh.get(token)
        if refresh is not None:
            was_alive, refresh.family.is_alive = refresh.family.is_alive, False
            return was_alive
        access = self._access.get(token)
        if access is None:
            return False
        was_revoked, access.is_revoked = access.is_revoked, True
        return not was_revoked

    def revoke_all(self) -> None:
        for family in self._families:
            family.is_alive = False

    def expire_access_tokens(self) -> None:
        """Expire every issued access token now."""
        for access in self._access.values():
            access.expires_at = min(access.expires_at, self._clock())

    def state_of(self, access_token: str) -> TokenState:
        found = self._access.get(access_token)
        if found is None:
            return "unknown"
        if found.is_revoked or not found.family.is_alive:
            return "revoked"
        return "live" if self._clock() < found.expires_at else "expired"

    def scopes_of(self, access_token: str) -> tuple[str, ...]:
        found = self._access.get(access_token)
        return found.scopes if found else ()

    def _issue(self, family: Family, scopes: tuple[str, ...], refresh_token: str | None) -> IssuedTokens:
        access_token = f"sandbox-at-{secrets.token_urlsafe(24)}"
        lifetime_s = self.access_token_lifetime_s
        expires_at = self._clock() + lifetime_s
        self._access[access_token] = _Access(family, expires_at, scopes)
        self.tokens_issued += 1
        early_s = family.earliest_refresh_s
        earliest = expires_at - early_s if early_s is not None else None
        if refresh_token is not None:
            self._refresh[refresh_token].not_before = earliest
        return IssuedTokens(
            access_token, refresh_token, lifetime_s, scopes, family.number, earliest_refresh_at=earliest
        )

    def _new_refresh_token(self, family: Family) -> str:
        token = f"sandbox-rt-{secrets.token_urlsafe(24)}"
        self._refresh[token] = _Refresh(family)
        return token


def token_hash(token: str) -> str:
    """SHA-256 in hexadecimal: identifies a token where the token itself must not be written."""
    return hashlib.sha256(token.encode()).hexdigest()


def _verifies(verifier: str, challenge: str) -> bool:
    """Verify the code verifier with S256 (RFC 7636 §4.6)."""
    digest = hashlib.sha256(verifier.encode("ascii", "replace")).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return bool(_VERIFIER.fullmatch(verifier)) and secrets.compare_digest(expected.encode(), challenge.encode())
