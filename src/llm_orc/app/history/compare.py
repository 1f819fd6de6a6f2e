"""What differs between two runs, agent by agent. Pure: two results in, a comparison out."""

from __future__ import annotations

from difflib import unified_diff
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import needs_of
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from llm_orc.app.history.runs import RunRecord
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.runs.results import AgentResult


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
    """Compare the prompts, the answers and the models of two runs."""
    agents_left = {agent.name: agent for agent in left.result.agents}
    agents_right = {agent.name: agent for agent in right.result.agents}
    prompts_left = _system_prompts(left.ensemble)
    prompts_right = _system_prompts(right.ensemble)
    names = dict.fromkeys([*agents_left, *agents_right])
    return Comparison(
        left.summary.run_id,
        right.summary.run_id,
        _differing(
            ("ensemble", left.result.ensemble, right.result.ensemble),
            ("status", left.result.status, right.result.status),
            ("task", left.result.task, right.result.task),
        ),
        tuple(
            _agent(
                name,
                agents_left.get(name),
                agents_right.get(name),
                (prompts_left.get(name), prompts_right.get(name)),
            )
            for name in names
        ),
    )


def _system_prompts(ensemble: Ensemble) -> dict[str, str | None]:
    return {spec.name: work.system_prompt for spec in ensemble.agents for work in needs_of(spec.work).models}


def _agent(
    name: str, left: AgentResult | None, right: AgentResult | None, prompts: tuple[str | None, str | None]
) -> AgentComparison:
    differences = _differing(
        ("status", left.status if left else None, right.status if right else None),
        ("model", left.model if left else None, right.model if right else None),
        ("access", _access(left), _access(right)),
        ("system prompt", *prompts),
        *((what, one, other) for (what, one), (_, other) in zip(_figures(left), _figures(right), strict=True)),
    )
    before = (left.response or "" if left else "").splitlines()
    after = (right.response or "" if right else "").splitlines()
    return AgentComparison(name, differences, tuple(unified_diff(before, after, "A", "B", lineterm="")))


def _differing(*values: tuple[str, str | None, str | None]) -> tuple[Difference, ...]:
    return tuple(Difference(what, left, right) for what, left, right in values if left != right)


def _access(agent: AgentResult | None) -> str | None:
    if agent is None or agent.access is None:
        return None
    return f"{agent.access.provider} ({agent.access.billing})"


def _figures(agent: AgentResult | None) -> tuple[tuple[str, str | None], ...]:
    cost = agent.cost_usd if agent else None
    return (
        ("tokens in", _count(agent.usage.input_tokens) if agent else None),
        ("tokens out", _count(agent.usage.output_tokens) if agent else None),
        ("cost in USD", None if cost is None else f"{cost:g}"),
    )


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else f"{tokens}"
