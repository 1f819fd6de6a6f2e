"""Sentences that the formats for people share: canned answers, missing answers, cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.output import cost_of, usage_of
from llm_orc.auth.access import Billing
from llm_orc.formats.figures import (
    charge,
    count,
    minute,
    most_dollars,
    relative,
    seconds,
    spent,
    spent_dollars,
    tokens,
)
from llm_orc.formats.printable import one_line
from llm_orc.formats.tools.words import number_words
from llm_orc.providers.dialects.endings import end_note

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.agents.choice import NamedModel
    from llm_orc.agents.output import (
        AgentOutput,
        CachedFrom,
        EvidenceCounts,
        ItemCounts,
        ModelCall,
        Rounds,
        SampleCounts,
    )
    from llm_orc.engine.events import AnswerRejected, ErrorInfo, PlanWaitStarted, RoundStarted
    from llm_orc.providers.base import Usage
    from llm_orc.runs.results import AgentResult, Reason, RunResult
    from llm_orc.runs.spend import Spend

SANDBOX_NOTE = "SANDBOX: no model was called. These answers are canned."


def no_answer(agent: AgentResult) -> Iterator[str]:
    """Yield the lines that replace the answer of an agent that failed, was skipped or waits."""
    if agent.status == "waiting":
        yield f"Waits: {reason_of(agent)}."
    elif agent.because or agent.reason == "condition":
        there_is = "" if agent.reason == "condition" else "there is "
        yield f"Skipped: {there_is}{why_skipped(agent.reason, agent.because)}."
    elif agent.error is not None:
        yield from error_lines(agent.error)
    else:
        yield "Skipped: the run ended before its turn."


def why_skipped(reason: Reason | None, because: Sequence[str]) -> str:
    """`no answer from `judge``, or `its condition is false`."""
    names = ", ".join(f"`{name}`" for name in because)
    if reason == "condition":
        return f"{names} {'was' if len(because) == 1 else 'were'} skipped" if because else "its condition is false"
    return f"no answer from {names}"


def error_lines(error: ErrorInfo) -> Iterator[str]:
    yield one_line(f"{error.code}: {error.message}")
    if error.hint:
        yield one_line(f"hint: {error.hint}")


def plan_wait_words(wait: PlanWaitStarted, now: float) -> str:
    """`waits for the plan of `claude-cli`, which resets at 2026-11-27 18:30 UTC (in 1 h 05 min)`."""
    plan = f"waits for the plan of `{wait.access.provider}`, which "
    when = f"{minute(wait.until)} ({relative(wait.until, now)})"
    if wait.is_told:
        return plan + f"resets at {when}"
    return plan + f"is used up and told no reset time; it is called again at {when}"


def state_note(agent: AgentResult) -> str:
    """Return the note after an agent's name: how it ended, unless it completed."""
    state = end_note(agent.stop_reason, agent.stop_word) if agent.status == "completed" else agent.status
    return f" ({state})" if state else ""


def agent_figures(agent: AgentResult) -> list[str]:
    """Return model, tokens, time and who pays, as far as known; one part each."""
    parts = [agent.model] if agent.model else []
    if agent.status == "completed" and agent.model is not None and agent.cached is None:
        parts.append(token_figures(agent.usage))
    parts += _repeats(agent)
    if agent.duration_s is not None:
        parts.append(seconds(agent.duration_s))
    if agent.attempts > 1:
        parts.append(count(agent.attempts, "attempt"))
    if agent.access is not None and agent.status == "completed":
        parts.append(charge(agent.access.billing, agent.cost_usd))
    if note := end_note(agent.stop_reason, agent.stop_word):
        parts.append(note)
    parts += [*_of_evidence(agent.evidence), *_marks(agent)]
    if reason := reason_of(agent):
        parts.append(reason)
    return parts


def _repeats(agent: AgentResult) -> list[str]:
    """Return how many items it ran over, samples it had, rounds, or calls of tools."""
    items = [*_of_several(agent.items, agent.samples)]
    if agent.tools:
        items.append(number_words(agent.tools))
    return items if agent.rounds is None else [*items, rounds_words(agent.rounds)]


def _of_several(items: ItemCounts | None, samples: SampleCounts | None) -> Iterator[str]:
    if items is not None:
        yield item_figures(items)
    if samples is not None:
        yield sample_figures(samples)


def _of_evidence(evidence: EvidenceCounts | None) -> Iterator[str]:
    """Yield `12 quotes found, 1 dropped`, if quotes were looked up."""
    if evidence is not None:
        dropped = f", {evidence.dropped:,} dropped" if evidence.dropped else ""
        yield f"{count(evidence.quotes - evidence.dropped, 'quote')} found{dropped}"


def sample_figures(samples: SampleCounts) -> str:
    """`4 of 5 samples agree`."""
    return f"{samples.agreed:,} of {count(samples.asked, 'sample')} agree"


def round_words(begun: RoundStarted) -> str:
    """`round 3 of 5`, of which some may not come."""
    return f"round {begun.number} of {begun.total}"


def rounds_words(rounds: Rounds) -> str:
    """`3 rounds`, and what a reader has to know of them."""
    words = count(rounds.number, "round")
    return words if rounds.kept in {rounds.number, None} else f"{words}, the answer of round {rounds.kept}"


def _marks(agent: AgentResult) -> Iterator[str]:
    """Yield what sets its answer apart from one that was asked for in this run, and came in time."""
    if agent.is_kept:
        yield "kept, not paid for again"
    if agent.cached is not None:
        yield from_cache(agent.cached)
    if agent.saved_as:
        yield f"written to {one_line(agent.saved_as)}"
    if agent.late_for:
        yield f"late: {', '.join(f'`{name}`' for name in agent.late_for)} had started without it"


def from_cache(origin: CachedFrom) -> str:
    """Return whose answer is given again, in a few words."""
    return f"from the cache, not paid for again (run {origin.run_id})"


def reason_of(agent: AgentResult) -> str:
    """Return in a few words why an agent has no answer; empty if it has one."""
    if agent.status == "waiting":
        if agent.asked is None:
            return "for agents whose answers it needs"
        return f"for an answer to: {one_line(agent.asked.message)}"
    if agent.because or agent.reason == "condition":
        return why_skipped(agent.reason, agent.because)
    return agent.error.message if agent.error is not None and agent.status != "completed" else ""


def token_figures(usage: Usage) -> str:
    """Return tokens in and out; and how many of those in came from the provider's cache."""
    cached = f" ({tokens(usage.cache_read_tokens)} cached)" if usage.cache_read_tokens else ""
    return f"{tokens(usage.input_tokens)} tokens in{cached}, {tokens(usage.output_tokens)} out"


def output_figures(output: AgentOutput, calls: Sequence[ModelCall], duration_s: float) -> list[str]:
    """Return tokens, time, who pays and how the answer ended, as far as known; one part each.

    `calls`: all that the answer took, with those that were sent back, or asked for tools.
    """
    last = output.last
    if last is None:
        several = _of_several(output.items, output.samples)
        return [*several, seconds(duration_s), *([from_cache(output.cached)] if output.cached else [])]
    parts = [token_figures(usage_of(calls)), seconds(duration_s), charge(last.access.billing, cost_of(calls))]
    note = end_note(last.stop_reason, last.stop_word)
    return [*parts, *filter(None, (output.validation, *_of_evidence(output.evidence), note))]


def rejected_words(event: AnswerRejected) -> str:
    """Return why an answer was not accepted, and whether it is sent back."""
    goes_on = f"attempt {event.attempt}: " if event.attempt else ""
    return f"{goes_on}{event.error.message}"


def item_figures(items: ItemCounts) -> str:
    """`1,000 items, 2 failed`, or `37 of 1,000 items` where not all have ended."""
    missing = items.total - items.completed - items.failed
    words = count(items.total, "item")
    if missing:
        words = f"{items.completed + items.failed:,} of {words}"
    return f"{words}, {items.failed:,} failed" if items.failed else words


def calls_of(spend: Spend) -> str:
    """`3 calls, 1 of unknown cost, and 2 attempts without an answer that may be billed`, as needed."""
    words = count(spend.calls, "call")
    unknown = spend.unknown_costs - spend.unanswered
    if unknown:
        words += f", {unknown:,} of unknown cost"
    if spend.unanswered:
        attempts = count(spend.unanswered, "attempt")
        words += f", and {attempts} without an answer that may be billed"
    return words


def named_model_lines(result: RunResult) -> Iterator[str]:
    """Yield which models were named for the run in place of the ensemble's: those with the same name together."""
    groups: dict[NamedModel, list[str]] = {}
    for agent, named in result.named_models.items():
        groups.setdefault(named, []).append(agent)
    for named, agents in groups.items():
        whom = "every agent" if len(agents) == len(result.agents) else ", ".join(agents)
        yield one_line(f"Model of {whom}: {named.text} ({named.by})")


def total_figures(result: RunResult) -> list[str]:
    """Return calls and tokens, the time, and the cost by who pays it; one part each."""
    parts = [spent(result.total), seconds(result.duration_s)]
    for billing, spend in result.by_billing.items():
        if spend.calls or spend.unknown_costs:
            cost = f" {spent_dollars(spend)}" if Billing(billing).may_cost else ""
            parts.append(f"{billing}{cost} ({calls_of(spend)})")
    metered = result.by_billing.get(Billing.METERED)
    if metered is not None and metered.unknown_costs and result.counted_usd is not None:
        what = "" if metered.unknown_costs == result.total.unknown_costs else "metered "
        parts.append(f"{what}at most {most_dollars(result.counted_usd)}")
    return parts
