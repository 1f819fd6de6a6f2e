"""A record of the requests to the sandbox's authorisation server, for tests to inspect."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class TokenRequest:
    """One request to the token endpoint. `outcome` is empty unless the server has processed it.

    `outcome` is `accepted`, an OAuth error code, or what a fault did instead; `reason` explains it.
    `fault` names the fault that was applied: with `LostAnswer`, the client can't know that it was `accepted`.
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
    was_ours: bool  # False: unknown or already invalid; the response is the same (RFC 7009 §2.2)


class OAuthRecord:
    """The requests in order of arrival, and a way to wait for them. With `keep` False they are only counted."""

    def __init__(self, *, keep: bool = True) -> None:
        self.token_requests: list[TokenRequest] = []
        self.authorization_requests: list[AuthorizationRequest] = []
        self.revocation_requests: list[RevocationRequest] = []
        self.device_requests: list[Mapping[str, str]] = []  # their parameters
        self.metadata_requests: list[str] = []  # their paths
        self.refresh_count = 0
        self._keep = keep
        self._changed = asyncio.Event()

    def add(self, request: TokenRequest | AuthorizationRequest | RevocationRequest) -> None:
        if isinstance(request, TokenRequest):
            self.refresh_count += request.grant_type == "refresh_token"
        if self._keep:
            match request:
                case TokenRequest():
                    self.token_requests.append(request)
                case AuthorizationRequest():
                    self.authorization_requests.append(request)
                case RevocationRequest():
                    self.revocation_requests.append(request)
        self.tell()

    def add_device(self, parameters: Mapping[str, str]) -> None:
        if self._keep:
            self.device_requests.append(parameters)
        self.tell()

    def add_metadata(self, path: str) -> None:
        if self._keep:
            self.metadata_requests.append(path)
        self.tell()

    def tell(self) -> None:
        """Wake all tasks that wait now; later ones wait for the next change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_until(self, is_so: Callable[[], bool], timeout_s: float) -> None:
        """Return as soon as `is_so()` is true; it is asked now and after each change. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout_s):
            while not is_so():
                await self._changed.wait()
