"""Every error a user can meet, each with a stable code, the next thing to do, and its family's exit code.

LlmOrcError                   error                     exit 1
├─ InputError                 input                          2  the task text or file we were given
├─ EnsembleError              ensemble                       3  the YAML, or what it names
│  ├─ EnsembleNotFound        ensemble_not_found                nothing has that name; the hint has the nearest
│  └─ EnsembleInvalid         ensemble_invalid                  every problem at once
│     └─ EnsembleCycle        ensemble_cycle                    shows the circle
├─ SettingsError              settings                       3  the configuration
│  ├─ ProfileNotFound         profile_not_found                 an agent names a profile that nobody defined
│  └─ MissingExtra            missing_extra                     a part of the program that is not installed
├─ AuthError                  auth                           4  access to a model
│  ├─ NotLoggedIn             not_logged_in                     no credential where one is needed
│  ├─ KeyMalformed            key_malformed                     what stands in a key's place can't be one
│  ├─ MeteredNotAllowed       metered_not_allowed               nobody agreed to pay per token
│  ├─ NotTrusted              not_trusted                       a project's file sets what only its user may
│  ├─ CredentialRefused       credential_refused                401 or 403 from the provider
│  ├─ AccessRefused           access_refused                    a way in that the provider closes to us
│  ├─ CredentialExpired       credential_expired                one new sign-in is needed
│  ├─ LoginFailed             login_failed                      a sign-in that came to no credential
│  ├─ AccessNotSupported      access_not_supported              a way in that this version does not offer
│  └─ CredentialStoreError    credential_store                  our store is locked, damaged, busy or not ours
├─ ProviderError              provider                       5  the service
│  ├─ ProviderUnreachable     provider_unreachable              no connection: network, proxy, certificate
│  ├─ ProviderOverloaded      provider_overloaded               5xx, 529
│  ├─ RateLimited             rate_limited                      429, after all retries
│  ├─ RequestRejected         request_rejected                  400, 422: sending it again won't help
│  │  ├─ ModelNotFound        model_not_found                   the provider does not know this model
│  │  └─ PromptTooLarge       prompt_too_large                  more than the model takes
│  │     └─ ConversationFull  conversation_full                 its turns no longer fit the model
│  ├─ ContentRefused          content_refused                   the model or its filter declined
│  ├─ ReplyUnreadable         reply_unreadable                  what came back is no answer
│  │  ├─ ToolAttempted        tool_attempted                    it went for a tool where only text was asked for
│  │  └─ ReplyCut             reply_cut                         the answer broke off before its end
│  ├─ ReplyTooLarge           reply_too_large                   more came than `network.max_answer_mb` takes
│  └─ ReplyTimedOut           reply_timed_out                   silence for too long, or no end in time
├─ RunError                   run                            1  the run as a whole
│  ├─ AgentTimedOut           agent_timed_out                   longer than the agent's `timeout_seconds`
│  ├─ RunTimedOut             run_timed_out                     longer than the whole run may take
│  ├─ BudgetExceeded          budget_exceeded                   the next call may cost more than is left
│  │  └─ BatchBudgetExceeded  batch_budget_exceeded             that of a whole batch
│  ├─ RunNotFound             run_not_found                     no run has that id, or more than one fits
│  ├─ RunNotResumable         run_not_resumable                 it is going on elsewhere, or can't be read
│  ├─ BatchNotFound           batch_not_found                   no batch has that id, or no such row
│  ├─ ConversationNotFound    conversation_not_found            no conversation has that name
│  ├─ ConversationBusy        conversation_busy                 another process is in the middle of a turn
│  └─ RunInterrupted          interrupted                  130  Ctrl-C
├─ InternalError              internal_error                 1  a mistake in llm-orc itself: report it
└─ StorageError               storage                        1  a file or database of ours
   ├─ StoreBusy               store_busy                        another process works on this file of batches
   └─ UnsafeFile              unsafe_file                       a link, or somebody else's: not read, not written
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Sequence


class LlmOrcError(Exception):
    """Base of all: `message` says what happened and to what, `hint` is the next thing to type."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    may_be_billed: bool = False  # a call was sent, and it is not sure that nobody bills it

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __copy__(self) -> Self:
        """Exceptions copy themselves by their arguments, which here don't say it all."""
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(self.__dict__)
        return twin


class InputError(LlmOrcError):
    """The task we were given can't be used: too large, not text, given twice, or missing."""

    code = "input"
    exit_code = 2


# --- the YAML, or what it names ---------------------------------------------------------------------------


class EnsembleError(LlmOrcError):
    code = "ensemble"
    exit_code = 3


class EnsembleNotFound(EnsembleError):
    code = "ensemble_not_found"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file. `line` and `column` count from 1; 0 means the file as a whole."""

    message: str
    file: Path | None = None
    line: int = 0
    column: int = 0
    hint: str | None = None

    def __str__(self) -> str:
        if self.file is None:
            return self.message
        at = f"{self.file}:{self.line}:{self.column}" if self.line else f"{self.file}"
        return f"{at}: {self.message}"


class EnsembleInvalid(EnsembleError):
    """Carries every problem found, in file order."""

    code = "ensemble_invalid"

    def __init__(self, message: str, *, problems: Sequence[Problem] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        lines = [f"{p} ({p.hint})" if p.hint else str(p) for p in self.problems[:50]]
        more = len(self.problems) - len(lines)
        return "\n".join([self.message, *lines, *([f"and {more} more"] if more else [])])


class EnsembleCycle(EnsembleInvalid):
    """Agents wait for each other; `cycle` names them in order, the first again at the end."""

    code = "ensemble_cycle"

    def __init__(
        self,
        message: str,
        *,
        cycle: Sequence[str] = (),
        problems: Sequence[Problem] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message, problems=problems, hint=hint)
        self.cycle = tuple(cycle)


# --- settings ---------------------------------------------------------------------------------------------


class SettingsError(LlmOrcError):
    code = "settings"
    exit_code = 3


class ProfileNotFound(SettingsError):
    code = "profile_not_found"


class MissingExtra(SettingsError):
    code = "missing_extra"


# --- access -----------------------------------------------------------------------------------------------


class AuthError(LlmOrcError):
    code = "auth"
    exit_code = 4


class NotLoggedIn(AuthError):
    """`provider` is whom to sign in to, where there is one to name; None: no access to any model was found."""

    code = "not_logged_in"

    def __init__(self, message: str, *, hint: str | None = None, provider: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.provider = provider


class KeyMalformed(AuthError):
    """A place that should hold an API key holds something else; neither message nor hint repeats it."""

    code = "key_malformed"


class MeteredNotAllowed(AuthError):
    """`named_in` is the file of an untrusted project that chose what costs money; None: it was merely found."""

    code = "metered_not_allowed"

    def __init__(self, message: str, *, hint: str | None = None, named_in: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.named_in = named_in


class NotTrusted(AuthError):
    code = "not_trusted"


class CredentialRefused(AuthError):
    """The provider answered 401 or 403; `status` is which, `provider_message` its own words."""

    code = "credential_refused"

    def __init__(
        self, message: str, *, hint: str | None = None, status: int = 401, provider_message: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.provider_message = provider_message


class AccessRefused(AuthError):
    """The provider refuses this way in, not this credential's age: a fresh token changes nothing.

    `signature` is a stable word for which refusal it was; `provider_message` are the provider's own words.
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
    code = "credential_expired"


class LoginFailed(AuthError):
    """A sign-in failed; `error` is the OAuth error code (RFC 6749 §4.1.2.1, §5.2), where the server sent one."""

    code = "login_failed"

    def __init__(self, message: str, *, hint: str | None = None, error: str = "") -> None:
        super().__init__(message, hint=hint)
        self.error = error


class AccessNotSupported(AuthError):
    code = "access_not_supported"


class CredentialStoreError(AuthError):
    """The credential store can't be used now; it was left as it is. `state` says why, in one word:

    `locked`, `wrong_key`, `corrupt`, `foreign`, `unsafe`, `busy` (another process holds the lock), `unlockable`
    (the file system knows no locks) or `unwritable`.
    """

    code = "credential_store"

    def __init__(self, message: str, *, state: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.state = state


# --- the service ------------------------------------------------------------------------------------------


class ProviderError(LlmOrcError):
    """The provider failed or said no. `status` is the HTTP status (0: none came), `provider_message` its words.

    `is_transient` is true where the same request may succeed later; `retry_after_s` is the provider's own wish.
    """

    code = "provider"
    exit_code = 5
    is_transient: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status: int = 0,
        provider_message: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.provider_message = provider_message
        self.retry_after_s = retry_after_s


class ProviderUnreachable(ProviderError):
    code = "provider_unreachable"
    is_transient = True


class ProviderOverloaded(ProviderError):
    code = "provider_overloaded"
    is_transient = True


class RateLimited(ProviderError):
    code = "rate_limited"
    is_transient = True


class RequestRejected(ProviderError):
    code = "request_rejected"


class ModelNotFound(RequestRejected):
    code = "model_not_found"


class PromptTooLarge(RequestRejected):
    code = "prompt_too_large"


class ConversationFull(PromptTooLarge):
    code = "conversation_full"


class ContentRefused(ProviderError):
    code = "content_refused"


class ReplyUnreadable(ProviderError):
    code = "reply_unreadable"


class ToolAttempted(ReplyUnreadable):
    code = "tool_attempted"


class ReplyCut(ReplyUnreadable):
    """`would_again`: the same request would break off at the same place, so it is not sent again."""

    code = "reply_cut"
    is_transient = True
    would_again = False


class ReplyTooLarge(ProviderError):
    code = "reply_too_large"


class ReplyTimedOut(ProviderError):
    code = "reply_timed_out"


# --- runs -------------------------------------------------------------------------------------------------


class RunError(LlmOrcError):
    code = "run"


class AgentTimedOut(RunError):
    code = "agent_timed_out"


class RunTimedOut(RunError):
    code = "run_timed_out"


class BudgetExceeded(RunError):
    """`--max-cost` is reached: the call was not made."""

    code = "budget_exceeded"


class BatchBudgetExceeded(BudgetExceeded):
    code = "batch_budget_exceeded"


class RunNotFound(RunError):
    code = "run_not_found"


class RunNotResumable(RunError):
    code = "run_not_resumable"


class BatchNotFound(RunError):
    code = "batch_not_found"


class ConversationNotFound(RunError):
    code = "conversation_not_found"


class ConversationBusy(RunError):
    code = "conversation_busy"


class RunInterrupted(RunError):
    code = "interrupted"
    exit_code = 130


class InternalError(LlmOrcError):
    """Something that nobody foresaw; `__cause__` is what was raised."""

    code = "internal_error"


class StorageError(LlmOrcError):
    """A file or database of ours can't be read or written; the message has its path."""

    code = "storage"


class StoreBusy(StorageError):
    code = "store_busy"


class UnsafeFile(StorageError):
    """A private file that is a link, not a regular file, or not its user's own."""

    code = "unsafe_file"
