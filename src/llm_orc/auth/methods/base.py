"""What all auth methods share: how they talk to the user, and what they return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llm_orc.auth.credential import ApiKey, Credential, OAuthToken
from llm_orc.auth.oauth.token_endpoint import Failure
from llm_orc.dataclass import dataclass
from llm_orc.errors import LoginFailed

if TYPE_CHECKING:
    from llm_orc.auth.oauth.client import OAuthClient
    from llm_orc.auth.oauth.device import DeviceCode
    from llm_orc.auth.oauth.id_token import Identity
    from llm_orc.auth.oauth.token_endpoint import TokenEndpointError, TokenResponse


class Ask(Protocol):
    """Asks the user. The terminal's implementation is `cli/shell/prompts.py`."""

    @property
    def is_interactive(self) -> bool:
        """True if someone can read and answer: standard input and the output are terminals."""
        ...

    def show_url(self, url: str) -> None:
        """Show it on a separate line, unwrapped and flushed."""
        ...

    def open_browser(self, url: str) -> bool:
        """Open it in the user's own browser (RFC 8252 §8.12). May block for a moment; False: it did not open."""
        ...

    async def paste(self, prompt: str) -> str:
        """Ask for a line; cancelled when it is no longer needed. Raises `EOFError` if no line will come."""
        ...

    def show_device_code(self, device: DeviceCode) -> None:
        """Show `verification_uri` and `user_code`, both, and how long they are valid."""
        ...

    def progress(self, words: str) -> None:
        """Show the progress, or what was wrong with an answer, in one sentence."""
        ...


@dataclass(frozen=True, slots=True)
class Login:
    """The result of a login: the credential, the granted scopes, and the account's name if known.

    `spend_cap` says for people how much the credential may spend, as the provider told; empty: nothing was told.
    `subject` is the account's id at the provider, if an ID token has proven it.
    """

    credential: Credential
    scopes: tuple[str, ...] = ()
    label: str = ""
    spend_cap: str = ""
    subject: str = ""


class LoginMethod(Protocol):
    """One auth method. However it ends, no listener, task or prompt is left behind."""

    async def log_in(self, ask: Ask) -> Login:
        """Raises `LoginFailed`."""
        ...


def login_with_token(client: OAuthClient, token: TokenResponse, identity: Identity | None = None) -> Login:
    """Build the result; scopes that the answer omits are the requested ones (RFC 6749 §5.1).

    An ID token is kept only as the hint of the next sign-in, where the account has no name that says the same.
    """
    scopes = client.scopes if token.scopes is None else token.scopes
    credential = OAuthToken(
        access_token=token.access_token,
        refresh_token=token.refresh_token,
        expires_at=None if token.expires_in is None else token.received_at + token.expires_in,
        issued_at=token.received_at,
        scopes=scopes,
        client_id=client.client_id,
        clock_skew_s=token.date_skew_s,
        earliest_refresh_at=token.earliest_refresh_at,
        id_token=token.id_token if identity is not None and not identity.name else None,
    )
    if identity is None:
        return Login(credential, scopes)
    return Login(credential, scopes, label=identity.name, subject=identity.subject)


def login_with_key(credential: ApiKey, label: str = "") -> Login:
    return Login(credential, label=label)


def failed_at_token_endpoint(error: TokenEndpointError, provider: str) -> LoginFailed:
    """Turn the server's error into one for a person who is signing in."""
    hint = error.hint or _HINTS[error.failure].format(provider=provider)
    return LoginFailed(error.message, hint=hint, error=error.error or error.failure)


_HINTS = {
    Failure.PERMANENT: "The code was already used, expired, or issued to another client. Sign in again.",
    Failure.REJECTED: "Check the client id, scopes and redirect under `providers.{provider}.oauth`.",
    Failure.TRANSIENT: "Check the network and the endpoint's address, then sign in again.",
    Failure.COOLDOWN: "Wait a moment, then sign in again.",
    Failure.AMBIGUOUS: "The code may be used up. Sign in again.",
}
