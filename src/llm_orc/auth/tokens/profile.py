"""Tokens that another program refreshes: read from its profile for each request, never refreshed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.auth.credential import OAuthToken
from llm_orc.auth.secret import Secret
from llm_orc.auth.tokens.expiry import Urgency, urgency
from llm_orc.errors import AccessRefused, CredentialExpired, CredentialRefused
from llm_orc.net.late_loop import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from llm_orc.auth.refusals import RefusalMemory
    from llm_orc.auth.stores.ant_profile import AntProfile

SIGN_IN = "ant auth login"
_BETA = "anthropic-beta"


class ProfileAuthoriser:
    """Adds the token of `ant auth login` to a request, as Anthropic's SDK does."""

    def __init__(
        self,
        profile: AntProfile,
        origin: str,
        clock: Callable[[], float],
        refusals: RefusalMemory | None = None,
    ) -> None:
        self._profile, self._origin, self._clock, self._refusals = profile, origin, clock, refusals

    @property
    def origin(self) -> str:
        return self._origin

    async def authorise(self, headers: MutableMapping[str, str]) -> None:
        """Raises `CredentialExpired` if the profile has no valid token (any more) for this origin."""
        token = await in_thread(self._token)
        wanted = dict(self._profile.headers)
        flags = [*headers.get(_BETA, "").split(","), wanted.pop(_BETA, "")]
        headers[_BETA] = ",".join(dict.fromkeys(flag.strip() for flag in flags if flag.strip()))
        headers.update(wanted)
        headers["Authorization"] = f"Bearer {token.reveal()}"

    async def renew(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> bool:
        """True if the tool has refreshed its token since. Raises `CredentialExpired` if not."""
        if isinstance(refused, AccessRefused) or refused.status != 401:
            return False
        token = await in_thread(self._token)
        if headers.get("Authorization") != f"Bearer {token.reveal()}":
            return True
        await self.remember(refused, headers)
        raise self._expired("was refused")

    async def remember(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> None:
        sent = headers.get("Authorization", "").partition(" ")[2]
        if self._refusals is not None and sent:
            await in_thread(self._refusals.remember, self._origin, Secret(sent), refused)

    def accepted(self) -> None:
        return

    def _token(self) -> Secret:
        entry = self._profile.entry
        if entry is None or entry.origin != self._origin or not isinstance(entry.credential, OAuthToken):
            raise self._expired("is gone")
        if urgency(entry.credential, self._clock()) is Urgency.EXPIRED:
            raise self._expired("has expired")
        return entry.credential.access_token

    def _expired(self, what: str) -> CredentialExpired:
        return CredentialExpired(
            f"the sign-in of `{SIGN_IN}` (profile `{self._profile.name}`) {what}", hint=SIGN_IN
        )
