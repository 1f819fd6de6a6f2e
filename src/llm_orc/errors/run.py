"""Errors of runs, batches and conversations."""

from __future__ import annotations

from llm_orc.errors.base import LlmOrcError


class RunError(LlmOrcError):
    """A run as a whole failed, was stopped, or was not found."""

    code = "run"


class AgentTimedOut(RunError):
    """The agent took longer than its `timeout_seconds`."""

    code = "agent_timed_out"


class ScriptFailed(RunError):
    """The agent's program could not be started, ended with an error, or wrote what is no answer."""

    code = "script_failed"


class AnswerInvalid(RunError):
    """The agent's answer does not satisfy its schema, or its quotes are none, and was not repaired."""

    code = "answer_invalid"


class TurnsExhausted(RunError):
    """The model of an agent only asked for tools in all the turns that it may have."""

    code = "turns_exhausted"


class ReferenceWithoutValue(RunError):
    """The agent refers to a field that an answer does not have, or to an answer that there is not.

    `absent` is the agent that has no answer, if that is why.
    """

    code = "reference_without_value"
    absent: str | None = None


class AnswerRestarted(RunError):
    """A model began its answer again after a client had been sent a part of it."""

    code = "answer_restarted"


class DispatchWithoutTarget(RunError):
    """What decides which ensemble an agent runs names none of them."""

    code = "dispatch_without_target"


class EnsembleWithoutAnswer(RunError):
    """The ensemble that the agent runs has no answer, as the agent within it that gives it has failed."""

    code = "ensemble_without_answer"


class ItemsUnusable(RunError):
    """What an agent is to run over is no list, or has more items than its `max`."""

    code = "items_unusable"


class ItemFailed(RunError):
    """An item of the agent failed, and so does the agent: it says `on_item_failure: fail`, or all have failed."""

    code = "item_failed"


class FileMissing(RunError):
    """A file that the run was given is not stored any more."""

    code = "file_missing"


class SaveFailed(RunError):
    """The file of an agent's answer (`save_as`) can't be written. The answer is kept in the record."""

    code = "save_failed"


class RoundFailed(RunError):
    """A round of a loop has no answer, or its condition can't be decided."""

    code = "round_failed"


class LoopExhausted(RunError):
    """A loop has had all rounds that it may have, its condition never held, and that is a failure for it."""

    code = "loop_exhausted"


class ConditionUndecided(RunError):
    """The condition of an agent is neither true nor false: values that can't be compared, or a missing field.

    `absent` is the agent without an answer that it waits for, if nothing else is wrong with it.
    """

    code = "condition_undecided"
    absent: str | None = None


class ApprovalExpired(RunError):
    """Nobody answered what an agent asks within its time, and it says no answer for that case."""

    code = "approval_expired"


class AlreadyAnswered(RunError):
    """Somebody else has answered what an agent asks, or the time for it had passed."""

    code = "already_answered"


class RunTimedOut(RunError):
    """The run took longer than its limit."""

    code = "run_timed_out"


class BudgetExceeded(RunError):
    """The limit of `--max-cost` or `--max-calls` is reached: the call was not made."""

    code = "budget_exceeded"


class BatchBudgetExceeded(BudgetExceeded):
    """The limit of a whole batch is reached: the call was not made."""

    code = "batch_budget_exceeded"


class DailyBudgetExceeded(BudgetExceeded):
    """The limit of all runs of a day (`runs.max_cost_per_day`) is reached: the call was not made."""

    code = "daily_budget_exceeded"


class RunNotFound(RunError):
    """No run has this id, or more than one id begins with it."""

    code = "run_not_found"


class RunNotResumable(RunError):
    """The run is running in another process, or its record can't be read."""

    code = "run_not_resumable"


class BatchNotFound(RunError):
    """No batch has this id, or the batch has no such row."""

    code = "batch_not_found"


class ConversationNotFound(RunError):
    """No conversation has this name."""

    code = "conversation_not_found"


class ConversationBusy(RunError):
    """Another process is in the middle of a turn of this conversation."""

    code = "conversation_busy"


class RunInterrupted(RunError):
    """The user stopped the run with Ctrl-C."""

    code = "interrupted"
    exit_code = 130
