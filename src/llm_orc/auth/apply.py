"""The interface "authorise this request": what a transport needs of any kind of credential."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from llm_orc.auth.refusals import RefusalMemory
from llm_orc.auth.secret import Secret
from llm_orc.dataclass import dataclass
from llm_orc.net.late_loop import in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from llm_orc.errors import AccessRefused, CredentialRefused


class Authoriser(Protocol):
    """Adds a credential to a request. Called for every attempt, so a token may change between attempts."""

    @property
    def origin(self) -> str:
        """The `scheme://host[:port]` that this credential belongs to; the transport sends it nowhere else."""
        ...

    async def authorise(self, headers: MutableMapping[str, str]) -> None:
        """Add the header that authenticates the request."""
        ...

    async def renew(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> bool:
        """After the request with these headers was refused: return True if one more attempt makes sense."""
        ...

    async def remember(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> None:
        """Remember for the next run that the provider finally refused the request with these headers."""
        ...

    def accepted(self) -> None:
        """Note that the provider accepted the credential; called after each answer, so it must be cheap."""
        ...


@dataclass(frozen=True, slots=True)
class NoCredential:
    """For a server that needs no credential: Ollama and other local ones."""

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
    """An API key in the provider's header, e.g. `x-api-key: …` or `Authorization: Bearer …`."""

    origin: str
    header: str
    key: Secret = field(repr=False)
    scheme: str = ""  # "Bearer" for RFC 6750; empty: the bare key is the value
    refusals: RefusalMemory | None = field(default=None, repr=False)

    async def authorise(self, headers: MutableMapping[str, str]) -> None:
        """Add the key. Raises `CredentialRefused` if the provider has refused this key before."""
        if self.refusals is not None:
            self.refusals.refuse_known(self.origin, self.key)
        key = self.key.reveal()
        headers[self.header] = f"{self.scheme} {key}" if self.scheme else key

    async def renew(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> bool:
        return False

    async def remember(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> None:
        if self.refusals is not None:
            await in_thread(self.refusals.remember, self.origin, self.key, refused)

    def accepted(self) -> None:
        return
