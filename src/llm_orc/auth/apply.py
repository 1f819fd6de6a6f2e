"""The seam "authorise this request": what a transport asks of a credential, whatever its kind."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from llm_orc.auth.refusals import RefusalMemory
from llm_orc.auth.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from llm_orc.errors import AccessRefused, CredentialRefused


class Authoriser(Protocol):
    """Puts a credential on a request. Called for every attempt, so a token may change between two of them."""

    @property
    def origin(self) -> str:
        """`scheme://host[:port]` that this credential belongs to; the transport sends it nowhere else."""
        ...

    async def authorise(self, headers: MutableMapping[str, str]) -> None:
        """Add the header that proves who we are."""
        ...

    async def renew(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> bool:
        """After a refusal of the request with these headers: True where one more try is worth it."""
        ...

    async def remember(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> None:
        """The provider's last word on the request with these headers was no: keep that for the next run."""
        ...

    def accepted(self) -> None:
        """The provider took the credential; called after each answer, so it must cost nothing."""
        ...


@dataclass(frozen=True, slots=True)
class NoCredential:
    """A server that asks for nothing: Ollama and other local ones."""

    origin: str

    async def authorise(self, headers: MutableMapping[str, str]) -> None:
        return

    async def renew(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> bool:
        return False

    async def remember(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> None:
        return

    def accepted(self) -> None:
        return


@dataclass(frozen=True, slots=True)
class ApiKeyHeader:
    """An API key in the header its provider wants, e.g. `x-api-key: …` or `Authorization: Bearer …`."""

    origin: str
    header: str
    key: Secret = field(repr=False)
    scheme: str = ""  # "Bearer" for RFC 6750; empty where the bare key is the value
    refusals: RefusalMemory | None = field(default=None, repr=False)

    async def authorise(self, headers: MutableMapping[str, str]) -> None:
        """Raises `CredentialRefused` where the provider has refused this key before, by another agent perhaps."""
        if self.refusals is not None:
            self.refusals.refuse_known(self.origin, self.key)
        key = self.key.reveal()
        headers[self.header] = f"{self.scheme} {key}" if self.scheme else key

    async def renew(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> bool:
        return False

    async def remember(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> None:
        if self.refusals is not None:
            await asyncio.to_thread(self.refusals.remember, self.origin, self.key, refused)

    def accepted(self) -> None:
        return
