"""Errors of access: a credential is missing, refused, or not allowed to be used."""

from __future__ import annotations

from llm_orc.errors.base import LlmOrcError


class AuthError(LlmOrcError):
    """Access to a model is missing, refused or not allowed."""

    code = "auth"
    exit_code = 4


class NotLoggedIn(AuthError):
    """`provider` is the provider to sign in to; None: no access to any model was found."""

    code = "not_logged_in"

    def __init__(self, message: str, *, hint: str | None = None, provider: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.provider = provider


class KeyMalformed(AuthError):
    """A source that should contain an API key contains something else; no message repeats it."""

    code = "key_malformed"


class MeteredNotAllowed(AuthError):
    """`named_in` is the file of an untrusted project that chose what costs money; None: it was only found."""

    code = "metered_not_allowed"

    def __init__(self, message: str, *, hint: str | None = None, named_in: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.named_in = named_in


class PlanCreditsNotAllowed(MeteredNotAllowed):
    """`provider` is the one whose plan needs a yes, which is kept; None: the yes is for one run only."""

    code = "plan_credits_not_allowed"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        named_in: str | None = None,
        provider: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, named_in=named_in)
        self.provider = provider


class NotInteractive(AuthError):
    """The provider may only be called while a person is at the terminal, and none is."""

    code = "not_interactive"


class NotTrusted(AuthError):
    """A file of a project sets what only the project's user may set."""

    code = "not_trusted"


class CredentialRefused(AuthError):
    """The provider answered 401 or 403; `status` says which, `provider_message` is its own text."""

    code = "credential_refused"

    def __init__(
        self, message: str, *, hint: str | None = None, status: int = 401, provider_message: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.provider_message = provider_message


class AccessRefused(AuthError):
    """The provider refuses this auth method, whatever the credential: a fresh token changes nothing.

    `signature` is a stable name of the kind of refusal; `provider_message` is the provider's own text.
    """

    code = "access_refused"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        signature: str = "",
        status: int = 0,
        provider_message: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.signature = signature
        self.status = status
        self.provider_message = provider_message


class CredentialExpired(AuthError):
    """The credential has expired and cannot be refreshed: the user has to sign in again."""

    code = "credential_expired"


class RefreshTooEarly(AuthError):
    """A sign-in can't be refreshed yet, because its server said from when: `not_before`, in Unix seconds.

    An earlier refresh would spend the refresh token, and with it the sign-in.
    """

    code = "refresh_too_early"

    def __init__(self, message: str, *, not_before: float, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.not_before = not_before


class LoginFailed(AuthError):
    """A sign-in failed; `error` is the OAuth error code (RFC 6749 §4.1.2.1, §5.2), if the server sent one."""

    code = "login_failed"

    def __init__(self, message: str, *, hint: str | None = None, error: str = "") -> None:
        super().__init__(message, hint=hint)
        self.error = error


class AccessNotSupported(AuthError):
    """This version does not offer this kind of access."""

    code = "access_not_supported"


class CredentialStoreError(AuthError):
    """The credential store can't be used now; it was left as it is. `state` says why, in one word:

    `locked`, `wrong_key`, `corrupt`, `foreign`, `unsafe`, `busy` (another process holds the lock), `unlockable`
    (the file system has no locks) or `unwritable`.
    """

    code = "credential_store"

    def __init__(self, message: str, *, state: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.state = state


class TokenCommandFailed(AuthError):
    """A token command did not run, did not end in time, or wrote no token."""

    code = "token_command_failed"
