"""Which agents of a run are asked again, and which answers a new run keeps: also within other agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.judging.judge import JUDGE, judge_of
from llm_orc.agents.kinds import kind_of
from llm_orc.agents.path import AgentPath, above, split_step, steps_of
from llm_orc.dataclass import dataclass
from llm_orc.engine.plan import make_plan
from llm_orc.errors import InputError
from llm_orc.storage.suggest import closest_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.engine.plan import Plan
    from llm_orc.runs.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Again:
    """`asked` are asked again, with all that runs within them. `around` only take the answers within them anew."""

    asked: frozenset[str] = frozenset()
    around: frozenset[str] = frozenset()

    def __contains__(self, path: object) -> bool:
        """Whether the answer of the agent at `path` is not kept."""
        return isinstance(path, str) and self._is_asked(path)

    def _is_asked(self, path: str) -> bool:
        return path in self.asked or path in self.around or any(one in self.asked for one in above(path))


def to_be_asked(recipe: Recipe, asked: Sequence[str]) -> Again:
    """Return `asked`, names or paths, and every agent that depends on one of them.

    Raises `InputError` for what is no agent.
    """
    plan = make_plan(recipe.ensemble)
    again: set[str] = set()
    around: set[str] = set()
    for path in asked:
        *outer_steps, (last, prefix, step) = _steps(plan, path)
        for one, before, outer in outer_steps:
            around |= _around_items(before, outer)
            again |= _later_rounds(one, before, outer)
            again |= {f"{before}{other}" for other in _dependants(one, split_step(outer)[0])}
        name, numbers = split_step(step)
        around |= _around_items(prefix, step) if numbers else frozenset()
        again |= _judge_of_samples(last, prefix, step)
        again |= _later_rounds(last, prefix, step)
        again |= {f"{prefix}{step}", *(f"{prefix}{other}" for other in _dependants(last, name))}
    return Again(frozenset(again), frozenset(around - again))


def _around_items(prefix: str, step: str) -> set[str]:
    """Return the path of the step, and if it is an item that of the agent whose item it is."""
    return {f"{prefix}{step}", f"{prefix}{split_step(step)[0]}"}


def _later_rounds(plan: Plan, prefix: str, step: str) -> set[str]:
    """Return the rounds after this one, which have seen what it said, if the step is a round of a loop."""
    name, _ = split_step(step)
    spec = next(spec for spec in plan.order if spec.name == name)
    most = kind_of(spec.work).rounds(spec.work)
    start, bracket, number = step.rpartition("[")
    is_item = spec.fan_out is not None and "[" not in start
    if most == 1 or not bracket or is_item:
        return set()
    return {f"{prefix}{start}[{later}]" for later in range(int(number[:-1]) + 1, most + 1)}


def _judge_of_samples(plan: Plan, prefix: str, step: str) -> set[str]:
    """Return the judge that chose from the sample, if the step is one, and its answer was among others."""
    name, numbers = split_step(step)
    spec = next(spec for spec in plan.order if spec.name == name)
    is_sample = numbers.count("[") == (1 if spec.fan_out is None else 2)
    return {f"{prefix}{step.rpartition('[')[0]}/{JUDGE}"} if is_sample and judge_of(spec) is not None else set()


def _steps(plan: Plan, path: str) -> Iterator[tuple[Plan, str, str]]:
    """Yield each agent on the path: its plan, what stands before its name in its path, and its name."""
    prefix, left = "", [*steps_of(AgentPath(path))]
    while True:
        step = left.pop(0)
        name, numbers = split_step(step)
        if name not in plan.dependants:
            near = closest_names(name, plan.names)
            listed = ", ".join(f"{prefix}{one}" for one in plan.names)
            hint = f"Did you mean `{prefix}{near[0]}`?" if near else f"Its agents: {listed}."
            raise InputError(f"the run has no agent `{path}`", hint=hint)
        spec = next(spec for spec in plan.order if spec.name == name)
        if spec.fan_out is not None and left and not numbers:
            hint = f"Say in which item: `{prefix}{name}[0]/{left[0]}`."
            raise InputError(f"the run has no agent `{path}`: `{name}` runs over items", hint=hint)
        if numbers and name not in plan.children:
            raise InputError(f"the run has no agent `{path}`", hint=f"`{prefix}{name}` runs once.")
        yield plan, prefix, step
        if not left:
            return
        children = plan.children.get(name, {})
        prefix = f"{prefix}{step}/"
        within = split_step(left[0])[0]
        first = next(iter(children), "")
        child = next((one for one, its in children.items() if within in its.dependants), first)
        if kind_of(spec.work).names_children:
            child = left.pop(0)
            prefix = f"{prefix}{child}/"
        if child not in children or not left:
            raise InputError(f"the run has no agent `{path}`", hint=f"Nothing of that name runs within `{name}`.")
        plan = children[child]


def _dependants(plan: Plan, name: str) -> set[str]:
    found, line = set[str](), [name]
    while line:
        for dependant in plan.dependants[line.pop()]:
            if dependant not in found:
                found.add(dependant)
                line.append(dependant)
    return found
