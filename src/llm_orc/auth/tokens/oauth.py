"""The OAuth credentials of one process, and how each is added to a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from llm_orc.auth.secret import Secret
from llm_orc.errors import AccessRefused, CredentialExpired, CredentialRefused, LoginFailed, RefreshTooEarly
from llm_orc.net.late_loop import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from llm_orc.auth.credential import Entry
    from llm_orc.auth.oauth.client import OAuthClient
    from llm_orc.auth.refusals import RefusalMemory
    from llm_orc.auth.storage import CredentialStorage
    from llm_orc.auth.tokens.refresh import TokenKeeper
    from llm_orc.net.transport import Transport


class Tokens:
    """One keeper for each credential in use. On exit, it waits for exchanges in progress."""

    def __init__(
        self,
        storage: CredentialStorage,
        transport: Transport,
        clock: Callable[[], float],
        tell: Callable[[str], None] = lambda _sentence: None,
    ) -> None:
        self._storage, self._transport, self._clock, self._tell = storage, transport, clock, tell
        self._keepers: dict[tuple[str, str], TokenKeeper] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        for keeper in self._keepers.values():
            await keeper.close()

    def keeper(self, entry: Entry, client: OAuthClient) -> TokenKeeper:
        """Return the keeper of this entry, the same one for all callers."""
        from llm_orc.auth.tokens.refresh import TokenKeeper  # noqa: PLC0415 - heavy: exchanges of tokens

        key = (entry.provider, entry.account)
        if key not in self._keepers:
            self._keepers[key] = TokenKeeper(
                self._storage, entry, client, self._transport, self._clock, tell=self._tell
            )
        return self._keepers[key]


class OAuthAuthoriser:
    """Adds the present access token to a request (RFC 6750 §2.1), and the provider's headers for it."""

    def __init__(
        self,
        keeper: TokenKeeper,
        origin: str,
        headers: Mapping[str, str] | None = None,
        refusals: RefusalMemory | None = None,
    ) -> None:
        self._keeper, self._origin, self._headers = keeper, origin, dict(headers or {})
        self._refusals = refusals

    @property
    def origin(self) -> str:
        return self._origin

    async def authorise(self, headers: MutableMapping[str, str]) -> None:
        """Raises `CredentialExpired` if a new sign-in is needed, `ProviderError` if the refresh must wait."""
        token = await self._keeper.current()
        if self._refusals is not None and self._refusals.find(self._origin, token.access_token) is not None:
            await self._keeper.replace(token.access_token.reveal())
            token = await self._keeper.current()
        headers.update(self._headers)
        headers["Authorization"] = f"Bearer {token.access_token.reveal()}"

    async def renew(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> bool:
        """Raises `CredentialExpired`, `LoginFailed`, `RefreshTooEarly`: then it is not sent again."""
        if isinstance(refused, AccessRefused):
            return False
        sent = _sent_in(headers)
        try:
            return await self._keeper.replace(sent)
        except (CredentialExpired, LoginFailed, RefreshTooEarly):
            await self._keep(refused, Secret(sent))
            raise

    async def remember(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> None:
        """Remember the refusal of the whole sign-in: after a refresh, or of the auth method."""
        if (secret := self._keeper.lasting_secret_of(_sent_in(headers))) is not None:
            await self._keep(refused, secret)

    async def _keep(self, refused: CredentialRefused | AccessRefused, secret: Secret) -> None:
        if self._refusals is not None:
            await in_thread(self._refusals.remember, self._origin, secret, refused)

    def accepted(self) -> None:
        self._keeper.accepted()


def _sent_in(headers: Mapping[str, str]) -> str:
    return headers.get("Authorization", "").partition(" ")[2]
