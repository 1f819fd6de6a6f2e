"""A result, or a failure instead, as one JSON document; `run_result.schema.json` describes both."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from llm_orc.formats.figures import moment
from llm_orc.formats.format import ResultFormat
from llm_orc.formats.json_values import (
    access_value,
    approval_value,
    cached_value,
    document,
    error_info_value,
    error_value,
    evidence_value,
    file_value,
    items_value,
    named_model_value,
    rounds_value,
    samples_value,
    spend_value,
    usage_value,
)
from llm_orc.formats.tools.values import tools_value

if TYPE_CHECKING:
    from llm_orc.errors import LlmOrcError
    from llm_orc.jsontypes import JsonValue
    from llm_orc.runs.results import AgentResult, RunResult

SCHEMA_VERSION = 1  # a key may be added under the same number; nothing is renamed or removed


def as_json(result: RunResult) -> str:
    return document(result_value(result))


def error_json(error: LlmOrcError) -> str:
    return document({"error": error_value(error)})


def schema() -> str:
    """Return the published JSON Schema (draft 2020-12) of everything that this format writes."""
    return files("llm_orc.formats").joinpath("run_result.schema.json").read_text(encoding="utf-8")


def result_value(result: RunResult) -> JsonValue:
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": result.run_id,
        "ensemble": result.ensemble,
        "status": result.status,
        "fails_because": result.fails_because or None,
        "sandbox": result.sandbox,
        "recorded": result.recorded,
        "input": result.task,
        "inputs": dict(result.inputs),
        "files": [file_value(one) for one in result.files],
        "conversation": result.conversation,
        "forked_from": result.forked_from,
        "named_models": {agent: named_model_value(named) for agent, named in result.named_models.items()},
        "started_at": moment(result.started_at),
        "duration_s": result.duration_s,
        "waits_until": None if result.waits_until is None else moment(result.waits_until),
        "answer": result.answer,
        "results": {agent.name: _agent_value(agent) for agent in result.agents},
        "totals": {
            **spend_value(result.total),
            "counted_usd": result.counted_usd,
            "counted_tokens": result.counted_tokens,
            "by_billing": {billing: spend_value(spend) for billing, spend in result.by_billing.items()},
        },
        "error": error_info_value(result.error),
    }


def _agent_value(agent: AgentResult) -> JsonValue:
    return {
        "status": agent.status,
        "response": agent.response,
        "data": agent.data,
        "validation": agent.validation or None,
        "evidence": evidence_value(agent.evidence),
        "items": items_value(agent.items),
        "rounds": rounds_value(agent.rounds),
        "samples": samples_value(agent.samples),
        "tools": tools_value(agent.tools),
        "error": error_info_value(agent.error),
        "skipped_because": list(agent.because) if agent.status == "skipped" else None,
        "reason": agent.reason,
        "approval": approval_value(agent),
        "model": agent.model,
        "access": access_value(agent.access),
        "usage": usage_value(agent.usage),
        "cost_usd": agent.cost_usd,
        "stop_reason": agent.stop_reason,
        "stop_word": agent.stop_word or None,
        "timing": {
            "started_at": None if agent.started_at is None else moment(agent.started_at),
            "duration_s": agent.duration_s,
        },
        "attempts": agent.attempts,
        "switched_from": [error_info_value(error) for error in agent.switched_from],
        "notices": list(agent.notices),
        "kept": agent.is_kept,
        "cached": cached_value(agent.cached),
        "saved_as": agent.saved_as or None,
        "late_for": list(agent.late_for),
        "waits_until": None if agent.waits_until is None else moment(agent.waits_until),
    }


FORMAT = ResultFormat(result=as_json, error=error_json)
