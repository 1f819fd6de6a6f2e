"""Events as they happen, one JSON object per line. `agent_delta` is provisional: a retry makes it void."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from llm_orc.engine.events import (
    AgentDelta,
    AgentFailed,
    AgentFinished,
    AgentNotice,
    AgentSkipped,
    AgentStarted,
    AnswerRejected,
    ApprovalAnswered,
    ApprovalAsked,
    AttemptSettled,
    AttemptStarted,
    ItemsStarted,
    ModelChosen,
    ModelRetrying,
    ModelSwitched,
    PlanWaitEnded,
    PlanWaitStarted,
    RoundStarted,
    RunFinished,
    RunStarted,
    RunStopped,
    ToolFinished,
    ToolsAsked,
    ToolStarted,
)
from llm_orc.formats.figures import moment
from llm_orc.formats.format import EventFormat
from llm_orc.formats.json_values import (
    access_value,
    asked_value,
    error_info_value,
    error_value,
    file_value,
    line,
    named_model_value,
    output_values,
    usage_value,
)
from llm_orc.formats.tools.values import tool_event_values

if TYPE_CHECKING:
    from llm_orc.engine.events import RecordedEvent, RunEvent
    from llm_orc.errors import LlmOrcError
    from llm_orc.jsontypes import JsonValue

SCHEMA_VERSION = 2  # types and keys may be added under the same number; nothing is renamed or removed

_AgentEvent = (
    AgentStarted
    | ModelChosen
    | ModelRetrying
    | ModelSwitched
    | PlanWaitStarted
    | PlanWaitEnded
    | ApprovalAsked
    | ApprovalAnswered
    | ItemsStarted
    | RoundStarted
    | AgentNotice
    | AgentFinished
    | AgentFailed
    | AgentSkipped
)


def event_line(event: RunEvent) -> str:
    """Return the event as one line of JSON, `type` first."""
    if isinstance(event, AgentDelta):
        return line({"type": "agent_delta", "provisional": True, "agent": event.agent, "text": event.text})
    return line(_event_values(event))


def error_line(error: LlmOrcError) -> str:
    """Return the line for a run that ended without a result."""
    return line({"type": "error", "error": error_value(error)})


def _event_values(event: RecordedEvent) -> dict[str, JsonValue]:
    if isinstance(event, RunStarted | RunFinished | RunStopped):
        return _run_values(event)
    if isinstance(event, AttemptStarted | AttemptSettled):
        return _attempt_values(event)
    if isinstance(event, AnswerRejected):
        return _rejected_values(event)
    if isinstance(event, ToolsAsked | ToolStarted | ToolFinished):
        return tool_event_values(event)
    return _agent_values(event)


def _run_values(event: RunStarted | RunFinished | RunStopped) -> dict[str, JsonValue]:
    match event:
        case RunStarted():
            return {
                "type": "run_started",
                "schema_version": SCHEMA_VERSION,
                "at": moment(event.at),
                "run_id": event.run_id,
                "ensemble": event.ensemble,
                "sandbox": event.sandbox,
                "agents": list(event.agents),
                "input": event.task,
                "inputs": dict(event.inputs),
                "files": [file_value(one) for one in event.files],
                "resumed": list(event.resumed),
                "forked_from": event.forked_from,
                "conversation": event.conversation,
                "named_models": {a: named_model_value(named) for a, named in event.named_models.items()},
            }
        case RunFinished():
            at = moment(event.at)
            return {
                "type": "run_finished",
                "at": at,
                "status": event.status,
                "duration_s": event.duration_s,
                "fails_because": event.fails_because or None,
            }
        case RunStopped():
            return {"type": "run_stopped", "at": moment(event.at), "error": error_info_value(event.error)}
        case _:
            assert_never(event)


def _attempt_values(event: AttemptStarted | AttemptSettled) -> dict[str, JsonValue]:
    common: dict[str, JsonValue] = {"at": moment(event.at), "agent": event.agent, "try": event.number}
    if isinstance(event, AttemptStarted):
        return {"type": "try_started", **common, "most_usd": event.most_usd, "most_tokens": event.most_tokens}
    return {"type": "try_settled", **common, "counts_usd": event.counts_usd, "counts_tokens": event.counts_tokens}


def _agent_values(event: _AgentEvent) -> dict[str, JsonValue]:
    common: dict[str, JsonValue] = {"at": moment(event.at), "agent": event.agent}
    kind, values = _kind_and_values(event)
    return {"type": kind, **common, **values}


def _rejected_values(event: AnswerRejected) -> dict[str, JsonValue]:
    return {
        "type": "answer_rejected",
        "at": moment(event.at),
        "agent": event.agent,
        "attempt": event.attempt or None,
        "model": event.call.model,
        "usage": usage_value(event.call.usage),
        "cost_usd": event.call.cost_usd,
        "error": error_info_value(event.error),
    }


def _kind_and_values(event: _AgentEvent) -> tuple[str, dict[str, JsonValue]]:
    kind: str
    values: dict[str, JsonValue]
    match event:
        case AgentStarted():
            kind, values = "agent_started", {"kind": event.kind, "without": [*event.without]}
        case ModelChosen():
            kind = "model_chosen"
            values = {"model": event.model, "access": access_value(event.access)}
        case ModelRetrying():
            kind = "model_retrying"
            values = {"attempt": event.attempt, "delay_s": event.delay_s, "error": error_info_value(event.error)}
        case ModelSwitched():
            kind = "model_switched"
            values = {
                "model": event.model,
                "access": access_value(event.access),
                "error": error_info_value(event.error),
            }
        case PlanWaitStarted() | PlanWaitEnded() | ApprovalAsked() | ApprovalAnswered():
            kind, values = _wait_values(event)
        case ItemsStarted() | RoundStarted() | AgentNotice():
            kind, values = _told_values(event)
        case AgentFinished():
            kind, values = "agent_finished", {"duration_s": event.duration_s, **output_values(event.output)}
        case AgentFailed():
            kind = "agent_failed"
            values = {"duration_s": event.duration_s, "error": error_info_value(event.error)}
        case AgentSkipped():
            kind, values = "agent_skipped", {"because": list(event.because), "reason": event.reason}
        case _:
            assert_never(event)
    return kind, values


def _told_values(event: ItemsStarted | RoundStarted | AgentNotice) -> tuple[str, dict[str, JsonValue]]:
    if isinstance(event, ItemsStarted):
        return "items_started", {"total": event.total}
    if isinstance(event, RoundStarted):
        return "round_started", {"number": event.number, "total": event.total}
    return "agent_notice", {"message": event.message}


def _wait_values(
    event: PlanWaitStarted | PlanWaitEnded | ApprovalAsked | ApprovalAnswered,
) -> tuple[str, dict[str, JsonValue]]:
    match event:
        case ApprovalAsked():
            return "approval_asked", asked_value(event)
        case ApprovalAnswered():
            return "approval_answered", {"choice": event.choice, "text": event.text, "by": event.by}
        case PlanWaitEnded():
            return "plan_wait_ended", {}
        case PlanWaitStarted():
            return _plan_wait_values(event)


def _plan_wait_values(event: PlanWaitStarted) -> tuple[str, dict[str, JsonValue]]:
    return "plan_wait_started", {
        "until": moment(event.until),
        "is_reset": event.is_told,
        "model": event.model,
        "access": access_value(event.access),
        "error": error_info_value(event.error),
    }


FORMAT = EventFormat(event=event_line, error=error_line)
