"""Our types as JSON values: the field names that the published schema promises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llm_orc.errors import EnsembleInvalid, PlanLimitReached
from llm_orc.formats.figures import moment
from llm_orc.formats.printable import escaped_in_json

if TYPE_CHECKING:
    from llm_orc.agents.choice import NamedModel
    from llm_orc.agents.output import AgentOutput, CachedFrom, EvidenceCounts, ItemCounts, Rounds, SampleCounts
    from llm_orc.auth.access import Access
    from llm_orc.engine.events import ApprovalAsked, ErrorInfo
    from llm_orc.errors import LlmOrcError, Problem
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.base import Usage
    from llm_orc.providers.parts import FileRef
    from llm_orc.runs.results import AgentResult
    from llm_orc.runs.spend import Spend

_indented = json.JSONEncoder(ensure_ascii=False, allow_nan=False, indent=2)
_compact = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def document(value: JsonValue) -> str:
    """Return one indented JSON document with a final newline; safe to print in a terminal."""
    return escaped_in_json(_indented.encode(value)) + "\n"


def line(value: JsonValue) -> str:
    """Return one line of JSON without its newline; safe to print in a terminal."""
    return escaped_in_json(_compact.encode(value))


def named_model_value(named: NamedModel | None) -> JsonValue:
    """Return a model that the user named in place of the ensemble's, and with what; None: they named none."""
    return None if named is None else {"name": named.text, "by": named.by}


def access_value(access: Access | None) -> JsonValue:
    if access is None:
        return None
    return {
        "provider": access.provider,
        "method": access.method,
        "billing": str(access.billing),
        "source": access.source,
        "endpoint": access.endpoint,
    }


def asked_value(asked: ApprovalAsked) -> dict[str, JsonValue]:
    """Return what a person is asked; without `choices` they answer in their own words."""
    return {
        "message": asked.message,
        "choices": list(asked.choices),
        "deadline": None if asked.deadline is None else moment(asked.deadline),
        "otherwise": asked.otherwise,
    }


def approval_value(agent: AgentResult) -> JsonValue:
    """Return what an agent has asked a person, and the answer if there is one."""
    asked, answered = agent.asked, agent.answered
    if asked is None:
        return None
    answer: JsonValue = None
    if answered is not None:
        at = moment(answered.at)
        answer = {"choice": answered.choice, "text": answered.text, "by": answered.by, "at": at}
    return {"asked_at": moment(asked.at), **asked_value(asked), "answer": answer}


def file_value(file: FileRef) -> JsonValue:
    return {"name": file.name, "type": file.media_type, "size": file.size, "sha256": file.sha256}


def usage_value(usage: Usage) -> JsonValue:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
    }


def spend_value(spend: Spend) -> dict[str, JsonValue]:
    """`cost_usd` is null if any part of it is unknown; the known part is beside it."""
    return {
        "calls": spend.calls,
        "input_tokens": spend.input_tokens,
        "output_tokens": spend.output_tokens,
        "cost_usd": spend.cost_usd,
        "known_cost_usd": spend.known_cost_usd,
        "unknown_costs": spend.unknown_costs,
        "calls_without_usage": spend.calls_without_usage,
    }


def output_values(output: AgentOutput) -> dict[str, JsonValue]:
    return {
        "response": output.text,
        "data": output.data,
        "validation": output.validation or None,
        "evidence": evidence_value(output.evidence),
        "items": items_value(output.items),
        "rounds": rounds_value(output.rounds),
        "samples": samples_value(output.samples),
        "model": output.model,
        "access": access_value(output.access),
        "usage": usage_value(output.usage),
        "cost_usd": output.cost_usd,
        "stop_reason": output.last.stop_reason if output.last else None,
        "stop_word": (output.last.stop_word or None) if output.last else None,
        "cached": cached_value(output.cached),
        "saved_as": output.saved_as or None,
    }


def cached_value(origin: CachedFrom | None) -> JsonValue:
    if origin is None:
        return None
    return {
        "run_id": origin.run_id,
        "agent": origin.agent,
        "at": moment(origin.at),
        "model": origin.model,
        "cost_usd": origin.cost_usd,
    }


def items_value(items: ItemCounts | None) -> JsonValue:
    """Return how many items an agent ran over; None: it ran once."""
    if items is None:
        return None
    return {"total": items.total, "completed": items.completed, "failed": items.failed}


def rounds_value(rounds: Rounds | None) -> JsonValue:
    return None if rounds is None else {"number": rounds.number, "ended": rounds.ended, "kept": rounds.kept}


def samples_value(samples: SampleCounts | None) -> JsonValue:
    """Return how many samples agree; None: it was asked once."""
    return None if samples is None else {"asked": samples.asked, "agreed": samples.agreed}


def evidence_value(evidence: EvidenceCounts | None) -> JsonValue:
    """Return how many quotes were looked up; None: none was to be."""
    return None if evidence is None else {"quotes": evidence.quotes, "dropped": evidence.dropped}


def error_info_value(error: ErrorInfo | None) -> JsonValue:
    if error is None:
        return None
    value: dict[str, JsonValue] = {"code": error.code, "message": error.message, "hint": error.hint}
    if error.resets_at is not None:
        value["resets_at"] = moment(error.resets_at)
    if error.payload is not None:
        value["payload"] = error.payload
    return value


def error_value(error: LlmOrcError) -> JsonValue:
    value: dict[str, JsonValue] = {"code": error.code, "message": error.message, "hint": error.hint}
    if isinstance(error, PlanLimitReached) and error.resets_at is not None:
        value["resets_at"] = moment(error.resets_at)
    if error.problems or isinstance(error, EnsembleInvalid):
        value["problems"] = [problem_value(problem) for problem in error.problems]
    return value


def problem_value(problem: Problem) -> JsonValue:
    return {
        "message": problem.message,
        "file": str(problem.file) if problem.file else None,
        "line": problem.line or None,
        "column": problem.column or None,
        "hint": problem.hint,
    }
