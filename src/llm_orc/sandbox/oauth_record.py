"""What the sandbox's authorisation server was asked, kept for whoever wants to look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(slots=True)
class TokenRequest:
    """One request at the token endpoint. `outcome` stays empty until the server has worked on it.

    `outcome` is `accepted`, an OAuth error code, or what a fault did in its place; `reason` says why in words.
    `fault` names the fault that it met: with `LostAnswer`, `accepted` means that the client can't know.
    """

    at: float  # Unix seconds, by the sandbox's clock
    grant_type: str
    client_id: str
    refresh_token_hash: str | None  # SHA-256, hexadecimal
    content_type: str
    parameters: Mapping[str, str] = field(repr=False)  # as sent, secrets included
    headers: Mapping[str, str] = field(repr=False)
    outcome: str = ""
    reason: str = ""
    fault: str = ""

    @property
    def was_accepted(self) -> bool:
        return self.outcome == "accepted"


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    at: float
    parameters: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RevocationRequest:
    at: float
    token_hash: str
    token_type_hint: str
    was_ours: bool  # False: unknown or dead already, which the answer doesn't tell (RFC 7009 §2.2)


class OAuthRecord:
    """The requests in the order of their arrival, and a way to wait for them."""

    def __init__(self) -> None:
        self.token_requests: list[TokenRequest] = []
        self.authorization_requests: list[AuthorizationRequest] = []
        self.revocation_requests: list[RevocationRequest] = []
        self.device_requests: list[Mapping[str, str]] = []
        self.metadata_requests: list[str] = []  # paths
        self._changed = asyncio.Event()

    def tell(self) -> None:
        """Wake whoever waits now; whoever comes later waits for the next change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_until(self, is_so: Callable[[], bool], timeout_s: float) -> None:
        """Return once `is_so` after some change. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout_s):
            while not is_so():
                await self._changed.wait()

    def refreshes(self) -> Sequence[TokenRequest]:
        return [request for request in self.token_requests if request.grant_type == "refresh_token"]
