"""Whatever stands in whatever, nothing that was answered becomes a part of a command."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.kinds import kind_of
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.spec import AgentSpec, NestedEnsemble
from llm_orc.agents.turn import AgentTurn
from llm_orc.agents.uses.graph import texts_of
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import EnsembleInvalid
from tests.engine.conftest import KeptEvents, RealClock
from tests.examples import many

MARK = "INJECTED"
CORPUS = (
    f"$({MARK})",
    f"'; {MARK} #",
    f"--output=/{MARK}",
    f"../../{MARK}",
    f"${{inputs.x}}{MARK}\n{MARK}",
    json.dumps([f"`{MARK}`", f"-{MARK}"]),
    json.dumps({"f": f"| {MARK}", "data": [f"&& {MARK}"]}),
)
Agent = dict[str, object]


@st.composite
def agents_of(draw: st.DrawFn, known: tuple[str, ...], depth: int, prefix: str) -> list[Agent]:
    """Agents that refer to what is `known` around them, to each other and, in a loop, to the round before."""
    agents: list[Agent] = []
    names = [f"{prefix}{n}" for n in range(draw(st.integers(1, 3)))]
    last = [f"last.{name}" for name in names] if "round" in known else []
    for n, name in enumerate(names):
        here = [*known, *last, *names[:n]]
        agent: Agent = {"name": name}
        over = draw(st.none() | st.sampled_from([["one", "two"], *[f"${{{one}}}" for one in names[:n]]]))
        if over is not None:
            agent["fan_out"] = {"over": over, "on_item_failure": "keep"}
            here.append("item")
        if n and over is None and draw(st.booleans()):
            agent["depends_on"] = [draw(st.sampled_from(names[:n]))]
        reference = st.sampled_from(["plain", *[f"${{{one}}}" for one in here]])
        clean = st.sampled_from(["plain", *[f"${{{one}}}" for one in known], "${item}" if over else "${run.id}"])
        tasks: st.SearchStrategy[Agent] = st.builds(_task, st.none() | reference)
        kinds = ["model", "script", "script", *(["loop", "loop", "ensemble", "dispatch"] if depth else [])]
        match draw(st.sampled_from(kinds)):
            case "model":
                agent["prompt"] = draw(reference)
            case "script":
                agent["script"] = ["tool", *draw(st.lists(clean, max_size=2))]
                agent["stdin"] = draw(reference)
                agent["env"] = {"WHAT": draw(reference), "PATH": draw(clean)}
            case "loop":
                around = tuple(dict.fromkeys([*(one for one in here if not one.startswith("last.")), "round"]))
                inner = draw(agents_of(around, depth - 1, f"{name}x"))
                agent["loop"] = {"agents": inner, "max_rounds": 2}
                agent |= draw(tasks)
            case kind:
                agent["inputs"] = {"x": draw(reference)}
                agent |= draw(tasks)
                agent |= (
                    {"ensemble": "inner"}
                    if kind == "ensemble"
                    else {"dispatch": {"by": draw(reference), "to": {"a": "inner"}, "otherwise": "inner"}}
                )
        agents.append(agent)
    return agents


@st.composite
def ensembles(draw: st.DrawFn) -> tuple[str, str]:
    """An ensemble, and the one that runs within its agents."""
    outer = draw(agents_of(("inputs.x", "task"), 2, "a"))
    inner = draw(agents_of(("inputs.x", "task"), 1, "b"))
    inputs = {"x": {"default": "clean"}}
    return (
        json.dumps({"name": "outer", "inputs": inputs, "agents": outer}),
        json.dumps(
            {
                "name": "inner",
                "inputs": inputs,
                "agents": [a for a in inner if not _runs_others(a)] or [{"name": "b"}],
            }
        ),
    )


def _task(task: str | None) -> Agent:
    return {} if task is None else {"task": task}


def _runs_others(agent: Agent) -> bool:
    return "ensemble" in json.dumps(agent) or "dispatch" in json.dumps(agent)


def with_inner(agents: tuple[AgentSpec, ...], inner: NestedEnsemble) -> tuple[AgentSpec, ...]:
    """Put the inner ensemble where its name stands, in the bodies of loops too. Raises `EnsembleInvalid`."""

    def say(key: str, message: str, hint: str | None = None, *, within: tuple[str | int, ...] = ()) -> None:
        raise EnsembleInvalid(f"{key} {within}: {message}", hint=hint)

    found = []
    for spec in agents:
        kind = kind_of(spec.work)
        named = {
            place: inner if isinstance(one, str) else replace(one, agents=with_inner(one.agents, inner))
            for place, one in kind.ensembles(spec.work).items()
        }
        work = kind.with_ensembles(spec.name, spec.work, named, say) if named else spec.work
        found.append(replace(spec, work=work))
    return tuple(found)


def put_together(outer: str, inner: str) -> Ensemble:
    parsed = parse_ensemble_text(inner).ensemble
    within = NestedEnsemble(parsed.name, parsed.agents, inputs=parsed.inputs)
    ensemble = parse_ensemble_text(outer).ensemble
    return replace(ensemble, agents=with_inner(ensemble.agents, within))


@settings(
    max_examples=many(75),
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(ensembles(), st.sampled_from(CORPUS))
def test_no_answer_comes_into_a_command(texts: tuple[str, str], answer: str) -> None:
    try:
        ensemble = put_together(*texts)
        plan = make_plan(ensemble)
    except EnsembleInvalid:
        reject()

    async def call(turn: AgentTurn) -> AgentOutput:
        spec = turn.agent
        if spec.repeats or spec.work.kind not in {"model", "script"}:
            return await caller(turn)
        closed = [text for text in texts_of(spec) if not text.takes_answers]
        assert not [text.key for text in closed if MARK in turn.texts.get(text.key, text.text)], texts
        return AgentOutput(answer, ())

    caller = AgentCaller(call, rehearsal=False)
    start = RunStart("run-1", "the task", inputs={"x": "clean"})
    asyncio.run(
        execute(plan, start, call, KeptEvents(), clock=RealClock(), max_concurrent=4, passes=AssertionError)
    )
