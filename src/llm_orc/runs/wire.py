"""Events and recipes to and from their stored form: JSON of the frozen dataclasses, by kind."""

from __future__ import annotations

import msgspec

from llm_orc.engine.events import (
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
    RecordedEvent,
    RoundStarted,
    RunFinished,
    RunStarted,
    RunStopped,
    ToolFinished,
    ToolsAsked,
    ToolStarted,
)
from llm_orc.errors import StorageError
from llm_orc.net.text import whole_text
from llm_orc.runs.earlier import EARLIER

KINDS: dict[type[RecordedEvent], str] = {
    RunStarted: "run_started",
    AttemptStarted: "try_started",
    AttemptSettled: "try_settled",
    AgentStarted: "agent_started",
    ModelChosen: "model_chosen",
    ModelRetrying: "model_retrying",
    AnswerRejected: "answer_rejected",
    ToolsAsked: "tools_asked",
    ToolStarted: "tool_started",
    ToolFinished: "tool_finished",
    ModelSwitched: "model_switched",
    PlanWaitStarted: "plan_wait_started",
    PlanWaitEnded: "plan_wait_ended",
    ApprovalAsked: "approval_asked",
    ApprovalAnswered: "approval_answered",
    ItemsStarted: "items_started",
    RoundStarted: "round_started",
    AgentNotice: "agent_notice",
    AgentFinished: "agent_finished",
    AgentFailed: "agent_failed",
    AgentSkipped: "agent_skipped",
    RunFinished: "run_finished",
    RunStopped: "run_stopped",
}
_encode = msgspec.json.Encoder().encode
_decoders = {kind: msgspec.json.Decoder(cls) for cls, kind in KINDS.items()}


def encode_event(event: RecordedEvent) -> tuple[str, bytes]:
    """Return the event's kind and its body."""
    return KINDS[type(event)], encode(event)


def encode(value: object) -> bytes:
    """Return the value as JSON. A lone surrogate, as in some file names, becomes U+FFFD."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_storable(msgspec.to_builtins(value)))


def _storable(value: object) -> object:
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value]
    return value


def decode_event(kind: str, body: bytes) -> tuple[RecordedEvent, ...]:
    """Return the event; two, if an earlier release stored as one what are two now.

    Raises `StorageError` if the record is damaged or of a kind that this release does not know.
    """
    try:
        return _decode(kind, body)
    except (KeyError, msgspec.MsgspecError) as e:
        from llm_orc.errors.installing import upgrading  # noqa: PLC0415 - only for an error

        raise StorageError(
            f"the record has an event `{kind}` that can't be read: {e}",
            hint=f"Was it written by a newer release? Then upgrade: `{upgrading()}`.",
        ) from e


def _decode(kind: str, body: bytes) -> tuple[RecordedEvent, ...]:
    if (decoder := _decoders.get(kind)) is not None:
        try:
            return (decoder.decode(body),)
        except msgspec.ValidationError:
            if kind not in EARLIER:
                raise
    return EARLIER[kind](body)
