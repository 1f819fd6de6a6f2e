"""Every error a user can meet, each with a stable code, the next thing to do, and its family's exit code.

LlmOrcError                   error                     exit 1
├─ InputError                 input                          2  the task text or file we were given
├─ EnsembleError              ensemble                       3  the YAML, or what it names
│  ├─ EnsembleNotFound        ensemble_not_found                nothing has that name; the hint names the closest
│  └─ EnsembleInvalid         ensemble_invalid                  every problem at once
│     └─ EnsembleCycle        ensemble_cycle                    shows the cycle
├─ SettingsError              settings                       3  the configuration
│  ├─ ProfileNotFound         profile_not_found                 an agent names a profile that is not defined
│  └─ MissingExtra            missing_extra                     a part of the program that is not installed
├─ AuthError                  auth                           4  access to a model
│  ├─ NotLoggedIn             not_logged_in                     no credential where one is needed
│  ├─ KeyMalformed            key_malformed                     the value given as a key can't be one
│  ├─ MeteredNotAllowed       metered_not_allowed               no consent to pay per token
│  │  └─ PlanCreditsNotAllowed  plan_credits_not_allowed        no consent to use a plan's credits
│  ├─ NotInteractive          not_interactive                   a provider that needs a person at the terminal
│  ├─ NotTrusted              not_trusted                       a project's file sets what only the user may
│  ├─ CredentialRefused       credential_refused                401 or 403 from the provider
│  ├─ AccessRefused           access_refused                    an auth method that the provider does not allow
│  ├─ CredentialExpired       credential_expired                a new sign-in is needed
│  ├─ RefreshTooEarly         refresh_too_early                 the sign-in's server allows a refresh only later
│  ├─ LoginFailed             login_failed                      a sign-in that ended without a credential
│  ├─ TokenCommandFailed      token_command_failed              a token command ended without a token
│  ├─ AccessNotSupported      access_not_supported              an auth method that this version does not offer
│  └─ CredentialStoreError    credential_store                  the store is locked, damaged, busy or not ours
├─ ProviderError              provider                       5  the service
│  ├─ ProviderUnreachable     provider_unreachable              no connection: network, proxy, certificate
│  ├─ ProviderOverloaded      provider_overloaded               5xx, 529
│  ├─ RateLimited             rate_limited                      429, after all retries
│  │  └─ PlanLimitReached     plan_limit_reached                the plan that pays is used up until it resets
│  ├─ RequestRejected         request_rejected                  400, 422: sending it again won't help
│  │  ├─ ModelNotFound        model_not_found                   the provider does not know this model
│  │  └─ PromptTooLarge       prompt_too_large                  more than the model accepts
│  │     └─ ConversationFull  conversation_full                 its turns no longer fit the model
│  ├─ ContentRefused          content_refused                   the model or its filter declined
│  ├─ ReplyUnreadable         reply_unreadable                  what came back is no answer
│  │  ├─ ToolAttempted        tool_attempted                    a tool was called where only text was requested
│  │  └─ ReplyCut             reply_cut                         the answer broke off before its end
│  ├─ ReplyTooLarge           reply_too_large                   more than `network.max_answer_mb` allows
│  └─ ReplyTimedOut           reply_timed_out                   silence for too long, or no end in time
├─ ToolServerError            tool_server                    5  a server that offers tools
│  ├─ ToolServerFailed        tool_server_failed                it can't be started or reached, or has ended
│  ├─ ToolServerTimedOut      tool_server_timed_out             no answer in time
│  └─ ToolCallRefused         tool_call_refused                 it answered with an error
├─ RunError                   run                            1  the run as a whole
│  ├─ AgentTimedOut           agent_timed_out                   longer than the agent's `timeout_seconds`
│  ├─ AnswerInvalid           answer_invalid                    an answer that does not satisfy its schema
│  ├─ TurnsExhausted          turns_exhausted                   a model that only asks for tools
│  ├─ AnswerRestarted         answer_restarted                  begun again, after a client was sent a part of it
│  ├─ DispatchWithoutTarget   dispatch_without_target           an answer names none of the ensembles
│  ├─ EnsembleWithoutAnswer   ensemble_without_answer           an ensemble within an agent has none
│  ├─ ItemsUnusable           items_unusable                    what an agent runs over is no list, or too long
│  ├─ ItemFailed              item_failed                       one item of an agent failed, or all of them
│  ├─ FileMissing             file_missing                      a file of the run is not stored any more
│  ├─ SaveFailed              save_failed                       the file of an agent's answer can't be written
│  ├─ RoundFailed             round_failed                      a round of a loop has no answer
│  ├─ LoopExhausted           loop_exhausted                    the condition of a loop never held
│  ├─ ConditionUndecided      condition_undecided               values that can't be compared, a missing field
│  ├─ ScriptFailed            script_failed                     an agent's program gave no answer
│  ├─ ReferenceWithoutValue   reference_without_value           a field that the answer does not have
│  ├─ ApprovalExpired         approval_expired                  nobody answered what an agent asks in time
│  ├─ AlreadyAnswered         already_answered                  somebody else has answered what an agent asks
│  ├─ RunTimedOut             run_timed_out                     longer than the whole run may take
│  ├─ BudgetExceeded          budget_exceeded                   the next call may cost more than is left
│  │  ├─ BatchBudgetExceeded  batch_budget_exceeded             the same for a whole batch
│  │  └─ DailyBudgetExceeded  daily_budget_exceeded             the same for all runs of a day
│  ├─ RunNotFound             run_not_found                     no run has that id, or more than one fits
│  ├─ RunNotResumable         run_not_resumable                 it is running elsewhere, or can't be read
│  ├─ BatchNotFound           batch_not_found                   no batch has that id, or no such row
│  ├─ ConversationNotFound    conversation_not_found            no conversation has that name
│  ├─ ConversationBusy        conversation_busy                 another process is in the middle of a turn
│  └─ RunInterrupted          interrupted                  130  Ctrl-C
├─ InternalError              internal_error                 1  a bug in llm-orc: please report it
└─ StorageError               storage                        1  one of the program's files or databases
   ├─ StoreBusy               store_busy                        another process is using this batch file
   └─ UnsafeFile              unsafe_file                       a link, or another user's file: not touched
"""

from __future__ import annotations

from llm_orc.errors.access import (
    AccessNotSupported,
    AccessRefused,
    AuthError,
    CredentialExpired,
    CredentialRefused,
    CredentialStoreError,
    KeyMalformed,
    LoginFailed,
    MeteredNotAllowed,
    NotInteractive,
    NotLoggedIn,
    NotTrusted,
    PlanCreditsNotAllowed,
    RefreshTooEarly,
    TokenCommandFailed,
)
from llm_orc.errors.base import InputError, InternalError, LlmOrcError
from llm_orc.errors.ensemble import EnsembleCycle, EnsembleError, EnsembleInvalid, EnsembleNotFound
from llm_orc.errors.problem import Problem
from llm_orc.errors.provider import (
    ContentRefused,
    ConversationFull,
    ModelNotFound,
    PlanLimitReached,
    PromptTooLarge,
    ProviderError,
    ProviderOverloaded,
    ProviderUnreachable,
    RateLimited,
    ReplyCut,
    ReplyTimedOut,
    ReplyTooLarge,
    ReplyUnreadable,
    RequestRejected,
    ToolAttempted,
)
from llm_orc.errors.run import (
    AgentTimedOut,
    AlreadyAnswered,
    AnswerInvalid,
    AnswerRestarted,
    ApprovalExpired,
    BatchBudgetExceeded,
    BatchNotFound,
    BudgetExceeded,
    ConditionUndecided,
    ConversationBusy,
    ConversationNotFound,
    DailyBudgetExceeded,
    DispatchWithoutTarget,
    EnsembleWithoutAnswer,
    FileMissing,
    ItemFailed,
    ItemsUnusable,
    LoopExhausted,
    ReferenceWithoutValue,
    RoundFailed,
    RunError,
    RunInterrupted,
    RunNotFound,
    RunNotResumable,
    RunTimedOut,
    SaveFailed,
    ScriptFailed,
    TurnsExhausted,
)
from llm_orc.errors.settings import MissingExtra, ProfileNotFound, SettingsError
from llm_orc.errors.storage import StorageError, StoreBusy, UnsafeFile
from llm_orc.errors.tools import ToolCallRefused, ToolServerError, ToolServerFailed, ToolServerTimedOut

__all__ = [
    "AccessNotSupported",
    "AccessRefused",
    "AgentTimedOut",
    "AlreadyAnswered",
    "AnswerInvalid",
    "AnswerRestarted",
    "ApprovalExpired",
    "AuthError",
    "BatchBudgetExceeded",
    "BatchNotFound",
    "BudgetExceeded",
    "ConditionUndecided",
    "ContentRefused",
    "ConversationBusy",
    "ConversationFull",
    "ConversationNotFound",
    "CredentialExpired",
    "CredentialRefused",
    "CredentialStoreError",
    "DailyBudgetExceeded",
    "DispatchWithoutTarget",
    "EnsembleCycle",
    "EnsembleError",
    "EnsembleInvalid",
    "EnsembleNotFound",
    "EnsembleWithoutAnswer",
    "FileMissing",
    "InputError",
    "InternalError",
    "ItemFailed",
    "ItemsUnusable",
    "KeyMalformed",
    "LlmOrcError",
    "LoginFailed",
    "LoopExhausted",
    "MeteredNotAllowed",
    "MissingExtra",
    "ModelNotFound",
    "NotInteractive",
    "NotLoggedIn",
    "NotTrusted",
    "PlanCreditsNotAllowed",
    "PlanLimitReached",
    "Problem",
    "ProfileNotFound",
    "PromptTooLarge",
    "ProviderError",
    "ProviderOverloaded",
    "ProviderUnreachable",
    "RateLimited",
    "ReferenceWithoutValue",
    "RefreshTooEarly",
    "ReplyCut",
    "ReplyTimedOut",
    "ReplyTooLarge",
    "ReplyUnreadable",
    "RequestRejected",
    "RoundFailed",
    "RunError",
    "RunInterrupted",
    "RunNotFound",
    "RunNotResumable",
    "RunTimedOut",
    "SaveFailed",
    "ScriptFailed",
    "SettingsError",
    "StorageError",
    "StoreBusy",
    "TokenCommandFailed",
    "ToolAttempted",
    "ToolCallRefused",
    "ToolServerError",
    "ToolServerFailed",
    "ToolServerTimedOut",
    "TurnsExhausted",
    "UnsafeFile",
]
