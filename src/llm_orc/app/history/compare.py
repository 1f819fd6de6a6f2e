"""What differs between two runs, agent by agent. Pure: two results in, a comparison out."""

from __future__ import annotations

from difflib import unified_diff
from typing import TYPE_CHECKING

from llm_orc.agents.inputs.values import as_text
from llm_orc.agents.kinds import agents_with_source, needs_of
from llm_orc.agents.path import AgentPath, model_key
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.app.history.runs import RunRecord
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.runs.results import AgentResult, RunResult

_Values = tuple[str, str | None, str | None]
"""What is compared, and its text on each side."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs, as text on each side; None: there is none."""

    what: str
    left: str | None
    right: str | None


@dataclass(frozen=True, slots=True)
class AgentComparison:
    """One agent in both runs. `answer` is the unified diff of its answers; empty: they are the same."""

    agent: str
    differences: tuple[Difference, ...]
    answer: tuple[str, ...]

    @property
    def same_answer(self) -> bool:
        return not self.answer and not any(difference.what == "status" for difference in self.differences)


@dataclass(frozen=True, slots=True)
class Comparison:
    left: str  # the runs' ids
    right: str
    differences: tuple[Difference, ...]  # between the runs as a whole
    agents: tuple[AgentComparison, ...]

    @property
    def same_answers(self) -> bool:
        return all(agent.same_answer for agent in self.agents)


def compare_runs(left: RunRecord, right: RunRecord) -> Comparison:
    """Compare the inputs, the prompts, the answers, the models and what each agent took, also within others."""
    agents_left = {agent.name: agent for agent in left.result.agents}
    agents_right = {agent.name: agent for agent in right.result.agents}
    prompts_left, prompts_right = _prompts(left.ensemble), _prompts(right.ensemble)
    names = dict.fromkeys([*agents_left, *agents_right])
    return Comparison(
        left.summary.run_id,
        right.summary.run_id,
        _differing(
            ("ensemble", left.result.ensemble, right.result.ensemble),
            ("status", left.result.status, right.result.status),
            ("task", left.result.task, right.result.task),
            *_inputs(left.result, right.result),
        ),
        tuple(
            _agent(
                name,
                agents_left.get(name),
                agents_right.get(name),
                (prompts_left.get(_place(name), _NO_PROMPTS), prompts_right.get(_place(name), _NO_PROMPTS)),
            )
            for name in names
        ),
    )


@dataclass(frozen=True, slots=True)
class _Prompts:
    """What an agent is told by its file."""

    system_prompt: str | None = None
    prompt: str | None = None


_NO_PROMPTS = _Prompts()


def _place(agent: str) -> str:
    """Return the place in the ensemble of an agent of the run: all its items and rounds have the same."""
    return model_key(AgentPath(agent))


def _prompts(ensemble: Ensemble) -> dict[str, _Prompts]:
    """Return what all agents are told, also those within others, by their places."""
    return {
        path: _Prompts(work.system_prompt, work.prompt)
        for path, spec, _ in agents_with_source(ensemble)
        for work in needs_of(spec.work).models[:1]
    }


def _inputs(left: RunResult, right: RunResult) -> Iterator[_Values]:
    for name in dict.fromkeys([*left.inputs, *right.inputs]):
        first, second = (as_text(one[name]) if name in one else None for one in (left.inputs, right.inputs))
        yield f"inputs.{name}", first, second


def _agent(
    name: str, left: AgentResult | None, right: AgentResult | None, prompts: tuple[_Prompts, _Prompts]
) -> AgentComparison:
    told, told_then = prompts
    differences = _differing(
        ("status", left.status if left else None, right.status if right else None),
        ("model", left.model if left else None, right.model if right else None),
        ("access", _access(left), _access(right)),
        ("system prompt", told.system_prompt, told_then.system_prompt),
        ("prompt", told.prompt, told_then.prompt),
        *((what, one, other) for (what, one), (_, other) in zip(_figures(left), _figures(right), strict=True)),
    )
    before = (left.response or "" if left else "").splitlines()
    after = (right.response or "" if right else "").splitlines()
    return AgentComparison(name, differences, tuple(unified_diff(before, after, "A", "B", lineterm="")))


def _differing(*values: _Values) -> tuple[Difference, ...]:
    return tuple(Difference(what, left, right) for what, left, right in values if left != right)


def _access(agent: AgentResult | None) -> str | None:
    if agent is None or agent.access is None:
        return None
    return f"{agent.access.provider} ({agent.access.billing})"


def _figures(agent: AgentResult | None) -> tuple[tuple[str, str | None], ...]:
    cost = agent.cost_usd if agent else None
    items, rounds, samples = (agent.items, agent.rounds, agent.samples) if agent else (None, None, None)
    evidence = agent.evidence if agent else None
    return (
        ("items", None if items is None else f"{items.total} ({items.failed} failed)"),
        ("rounds", None if rounds is None else f"{rounds.number} ({rounds.ended})"),
        ("samples", None if samples is None else f"{samples.asked} ({samples.agreed} agree)"),
        ("quotes", None if evidence is None else f"{evidence.quotes} ({evidence.dropped} dropped)"),
        ("tokens in", _count(agent.usage.input_tokens) if agent else None),
        ("tokens out", _count(agent.usage.output_tokens) if agent else None),
        ("cost in USD", None if cost is None else f"{cost:g}"),
    )


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else f"{tokens}"
