"""Refresh OAuth tokens: in time, once for all users of a token, and without ever losing the sign-in.

The order of the steps makes a refresh safe: lock (all processes), read again, adopt another process's new token,
or mark the refresh token as presented, exchange it, save the new tokens and clear the mark in one write, use them.
A process that dies in between leaves the mark, which shows that the token may be used up (RFC 9700 §4.14.2).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from llm_orc.auth.credential import NeedsLogin, OAuthToken, Presented
from llm_orc.auth.oauth.metadata import resolve
from llm_orc.auth.oauth.token_endpoint import Failure, TokenEndpointError, refresh
from llm_orc.auth.tokens.expiry import Urgency, urgency
from llm_orc.auth.tokens.marks import hash_of, lasting_secret
from llm_orc.auth.tokens.refresh_turn import refresh_turn
from llm_orc.auth.tokens.too_early import too_early
from llm_orc.errors import (
    CredentialExpired,
    LlmOrcError,
    LoginFailed,
    NotLoggedIn,
    ProviderOverloaded,
    ProviderUnreachable,
    StorageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.auth.credential import Entry
    from llm_orc.auth.oauth.client import OAuthClient
    from llm_orc.auth.oauth.token_endpoint import TokenResponse
    from llm_orc.auth.secret import Secret
    from llm_orc.auth.storage import CredentialStorage
    from llm_orc.net.transport import Transport

_REUSE_GRACE_S = 30.0  # many servers accept a used refresh token again for about this long
_FIRST_COOLDOWN_S, _AFTER_FAILURE_S = 5.0, 5.0
_LAST_WAIT_S = 10.0  # how long closing waits for an exchange in progress
_PROOF_AGE_S = 60.0  # a more recent proof is not worth a write


class TokenKeeper:
    """One credential in one process. However many callers there are, at most one exchange is in progress."""

    def __init__(
        self,
        storage: CredentialStorage,
        entry: Entry,
        client: OAuthClient,
        transport: Transport,
        clock: Callable[[], float],
        *,
        tell: Callable[[str], None] = lambda _sentence: None,
    ) -> None:
        """`tell` is called with what is waited for, in one sentence."""
        self._storage, self._transport, self._clock, self._tell = storage, transport, clock, tell
        self._provider, self._account = entry.provider, entry.account
        self._client = client
        self._entry = entry
        self._renewal: asyncio.Task[LlmOrcError | None] | None = None
        self._refused: str | None = None  # an access token that the provider no longer accepts, whatever its age
        self._not_before = 0.0  # after a failure, when the next background refresh may start
        self._unsaved = False
        self._proven_at: float | None = None

    async def current(self) -> OAuthToken:
        """Return a token to send now. Raises `CredentialExpired`, `ProviderError`, `CredentialStoreError`."""
        token = self._token
        state = urgency(token, self._clock())
        if state is Urgency.DUE and self._renewal is None and self._clock() >= self._not_before:
            self._start(replacing=token)  # in the background
        if state in {Urgency.FRESH, Urgency.DUE}:
            return token
        failure = await self._renewed(replacing=token)
        if failure is not None and urgency(self._token, self._clock()) is Urgency.EXPIRED:
            raise failure
        return self._token

    async def replace(self, refused: str) -> bool:
        """After a 401 for the access token `refused`: True if there is another one now. Raises as `current`."""
        if self._token.access_token.reveal() == refused:
            self._refused = refused
            failure = await self._renewed(replacing=self._token)
            if failure is not None:
                raise failure
        return self._token.access_token.reveal() != refused

    async def refresh_now(self, *, asked_at: float = math.inf) -> OAuthToken:
        """Refresh a token (`auth refresh`) unless it was issued since `asked_at`. Raises as `current`."""
        failure = await self._renewed(replacing=self._token, asked_at=asked_at)
        if failure is not None:
            raise failure
        return self._token

    def lasting_secret_of(self, access_token: str) -> Secret | None:
        """Return what identifies the sign-in across access tokens; None if it has another token by now."""
        token = self._token
        return lasting_secret(token) if token.access_token.reveal() == access_token else None

    def accepted(self) -> None:
        self._proven_at = self._clock()

    async def close(self) -> None:
        """Let an exchange in progress finish, within limits; save what is not saved yet."""
        if (renewal := self._renewal) is not None:
            await asyncio.wait([renewal], timeout=_LAST_WAIT_S)
            if not renewal.done():
                renewal.cancel()
                await asyncio.wait([renewal])
        proven_at, known = self._proven_at, self._entry.proven_at
        is_ours = self._entry.source == "own"  # a proof alone is no reason to copy another release's entry
        is_news = is_ours and proven_at is not None and (known is None or proven_at - known > _PROOF_AGE_S)
        if self._unsaved or is_news:
            with contextlib.suppress(LlmOrcError):
                await self._update(lambda entry: replace(entry, proven_at=proven_at or entry.proven_at))

    @property
    def _token(self) -> OAuthToken:
        credential = self._entry.credential
        if not isinstance(credential, OAuthToken):
            raise NotLoggedIn(
                f"`{self._provider}` now has an API key, not a sign-in",
                hint=f"llm-orc auth status {self._provider}",
            )
        return credential

    async def _renewed(self, *, replacing: OAuthToken, asked_at: float = math.inf) -> LlmOrcError | None:
        """Wait for the refresh in progress, or start one; it continues if a caller is cancelled."""
        renewal = self._renewal or self._start(replacing=replacing, asked_at=asked_at)
        return await asyncio.shield(renewal)

    def _start(self, *, replacing: OAuthToken, asked_at: float = math.inf) -> asyncio.Task[LlmOrcError | None]:
        # Not in a task group: an exchange must outlive its caller. `close` waits for it.
        self._renewal = asyncio.create_task(self._renew(replacing, asked_at))
        self._renewal.add_done_callback(self._ended)
        return self._renewal

    def _ended(self, renewal: asyncio.Task[LlmOrcError | None]) -> None:
        self._renewal = None
        if not renewal.cancelled() and renewal.exception() is None and renewal.result() is not None:
            self._not_before = self._clock() + _AFTER_FAILURE_S

    async def _renew(self, replacing: OAuthToken, asked_at: float) -> LlmOrcError | None:
        try:
            if await self._adopt(replacing, asked_at):
                return None
            async with refresh_turn(self._storage, self._provider, self._account, self._tell):
                if not await self._adopt(replacing, asked_at):
                    await self._exchange()
        except LlmOrcError as e:
            return e
        return None

    async def _adopt(self, replacing: OAuthToken, asked_at: float) -> bool:
        """Read the store again: True if another process has stored a token that is still valid.

        One that was issued after `asked_at` fulfils the request, even if we saw it before.
        """
        if self._unsaved:
            return False  # ours is newer than the store's
        entry = await asyncio.to_thread(self._storage.get, self._provider, self._account)
        if entry is None:
            raise NotLoggedIn(
                f"the sign-in `{self._provider}` was removed", hint=f"llm-orc auth add {self._provider}"
            )
        self._entry = entry
        token = self._token
        is_other = token.access_token != replacing.access_token or (token.issued_at or 0.0) > asked_at
        return is_other and urgency(token, self._clock()) is not Urgency.EXPIRED

    async def _exchange(self) -> None:
        """Exchange under the lock, with the entry just read."""
        token, now = self._token, self._clock()
        if token.refresh_token is None:
            raise self._expired("it has expired, and came without a refresh token")
        spent = hash_of(token.refresh_token)
        if self._entry.needs_login is not None and self._entry.needs_login.refresh_token_hash == spent:
            raise self._expired(_why(self._entry.needs_login.error))
        if not token.may_refresh(now):
            raise too_early(self._entry, token, was_refused=token.access_token.reveal() == self._refused)
        if (until := await asyncio.to_thread(self._storage.cooldown, self._provider, self._account)) is not None:
            raise self._cooling_down(until - now)
        mark = self._entry.presented
        was_presented = mark is not None and mark.refresh_token_hash == spent
        lives = urgency(token, now) is not Urgency.EXPIRED and token.access_token.reveal() != self._refused
        if mark is not None and was_presented and now - mark.at > _REUSE_GRACE_S and lives:
            return  # it may be used up: leave it alone as long as the access token works
        if self._client.token_endpoint is None:
            self._client = await resolve(self._client, self._transport)
        await self._present(token.refresh_token, spent, was_presented=was_presented)

    async def _present(self, refresh_token: Secret, spent: str, *, was_presented: bool) -> None:
        await self._update(lambda e: replace(e, presented=Presented(spent, self._clock())))
        client = replace(self._client, client_id=self._token.client_id or self._client.client_id)
        try:
            response = await refresh(client, self._transport, refresh_token, clock=self._clock)
        except TokenEndpointError as e:
            if e.failure is Failure.AMBIGUOUS and not was_presented:
                # Retry at once: if the answer was lost, most servers repeat it within a grace period.
                return await self._present(refresh_token, spent, was_presented=True)
            await self._failed(e, spent, was_presented=was_presented)
        except LoginFailed:
            await self._clear_mark(unless=was_presented)
            raise
        else:
            await self._keep(response)

    async def _failed(self, error: TokenEndpointError, spent: str, *, was_presented: bool) -> None:
        """Handle a failure: nothing is deleted; at most this very refresh token is marked as invalid."""
        match error.failure:
            case Failure.PERMANENT:
                await self._dead(error, spent, was_presented=was_presented)
            case Failure.COOLDOWN:
                await self._clear_mark(unless=was_presented)
                wait_s = error.retry_after_s if error.retry_after_s is not None else _FIRST_COOLDOWN_S
                await asyncio.to_thread(
                    self._storage.set_cooldown, self._provider, self._account, self._clock() + wait_s
                )
                raise self._cooling_down(wait_s, error)
            case Failure.REJECTED:
                await self._clear_mark(unless=was_presented)
                raise LoginFailed(error.message, error=error.error, hint=self._sign_in) from error
            case Failure.TRANSIENT:
                await self._clear_mark(unless=was_presented)
                raise self._unreachable(error)
            case Failure.AMBIGUOUS:
                raise self._unreachable(error)

    async def _dead(self, error: TokenEndpointError, spent: str, *, was_presented: bool) -> None:
        code = "ambiguous" if was_presented else error.error or "invalid_grant"
        dead = NeedsLogin(spent, code, self._clock())

        def note(entry: Entry) -> Entry:
            token = entry.credential
            if not isinstance(token, OAuthToken) or _hash(token.refresh_token) != spent:
                return entry  # there is a newer sign-in by now, which is not the invalid one
            return replace(entry, needs_login=dead, presented=None)

        await self._update(note)
        if _hash(self._token.refresh_token) == spent:
            raise self._expired(_why(code)) from error

    async def _keep(self, response: TokenResponse) -> None:
        """Save the new tokens and clear the mark in one write; if that fails, use them from memory."""
        old = self._token
        new = replace(
            old,
            access_token=response.access_token,
            refresh_token=response.refresh_token
            or old.refresh_token,  # omitted: the old one stays valid (RFC 6749 §6)
            expires_at=None if response.expires_in is None else response.received_at + response.expires_in,
            issued_at=response.received_at,
            scopes=old.scopes if response.scopes is None else response.scopes,
            clock_skew_s=response.date_skew_s,
            earliest_refresh_at=response.earliest_refresh_at,
        )

        def take(entry: Entry) -> Entry:
            return replace(
                entry, credential=new, presented=None, needs_login=None, refreshed_at=response.received_at
            )

        try:
            await self._update(take)
        except (LlmOrcError, StorageError):
            self._entry, self._unsaved = take(self._entry), True

    async def _clear_mark(self, *, unless: bool) -> None:
        """Clear the mark: the token was not sent or is unharmed, `unless` an earlier presentation is in doubt."""
        if not unless:
            await self._update(lambda e: replace(e, presented=None))

    async def _update(self, change: Callable[[Entry], Entry]) -> None:
        if self._unsaved:
            kept = self._entry
            inner = change

            def change(entry: Entry) -> Entry:
                return inner(replace(kept, is_active=entry.is_active))

        self._entry = await asyncio.to_thread(self._storage.update, self._provider, self._account, change)
        self._unsaved = False

    @property
    def _sign_in(self) -> str:
        account = f" --account {self._account}" if self._account != "default" else ""
        return f"llm-orc auth add {self._provider}{account}"

    def _expired(self, why: str) -> CredentialExpired:
        return CredentialExpired(f"the sign-in `{self._provider}` can't be refreshed: {why}", hint=self._sign_in)

    def _cooling_down(self, wait_s: float, cause: TokenEndpointError | None = None) -> ProviderOverloaded:
        until = datetime.fromtimestamp(self._clock() + wait_s, UTC)
        return ProviderOverloaded(
            f"the sign-in server of `{self._provider}` asks for a pause of {max(wait_s, 0):.0f} s"
            f" (until {until:%Y-%m-%d %H:%M:%S} UTC)",
            status=cause.status if cause else 0,
            retry_after_s=max(wait_s, 0.0),
            hint=f"llm-orc auth status {self._provider}",
        )

    def _unreachable(self, error: TokenEndpointError) -> ProviderUnreachable:
        return ProviderUnreachable(
            error.message, status=error.status, hint=f"llm-orc auth status {self._provider}"
        )


def _why(error: str) -> str:
    if error == "ambiguous":
        return (
            "an earlier refresh was interrupted before its answer was stored, and the token is used up since;"
            " a new sign-in is needed"
        )
    return f"the server has ended it (`{error}`); a new sign-in is needed"


def _hash(secret: Secret | None) -> str | None:
    return None if secret is None else hash_of(secret)
