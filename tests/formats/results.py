"""Any result that a run can have, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from llm_orc.auth.access import Access, Billing
from llm_orc.engine.events import ErrorInfo
from llm_orc.providers.base import Usage
from llm_orc.runs.results import AgentResult, RunResult, run_status

anything = st.text(st.characters(), max_size=30)  # surrogates and control characters included
names = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True)
counts = st.integers(min_value=0, max_value=10**9)
durations = st.floats(min_value=0, max_value=1e6, allow_nan=False)
costs = st.none() | st.floats(min_value=0, max_value=1e4, allow_nan=False)
moments = st.floats(min_value=0, max_value=4e9)

errors = st.builds(
    ErrorInfo, code=st.just("rate_limited"), message=anything, hint=st.none() | anything, exit_code=st.just(5)
)
accesses = st.builds(
    Access,
    provider=names,
    method=st.sampled_from(["api-key", "none", "sandbox"]),
    billing=st.sampled_from(Billing),
    source=anything,
    endpoint=st.just("http://127.0.0.1:1"),
)
usages = st.builds(
    Usage,
    input_tokens=st.none() | counts,
    output_tokens=st.none() | counts,
    cache_read_tokens=counts,
    cache_write_tokens=counts,
)

completed = st.builds(
    AgentResult,
    name=names,
    status=st.just("completed"),
    response=anything,
    model=names,
    access=accesses,
    usage=usages,
    cost_usd=costs,
    stop_reason=st.sampled_from(["end_turn", "max_tokens", "other"]),
    started_at=moments,
    duration_s=durations,
    attempts=st.integers(1, 9),
    switched_from=st.lists(errors, max_size=2).map(tuple),
)


def _without_answer(status: str) -> st.SearchStrategy[AgentResult]:
    return st.builds(
        AgentResult,
        name=names,
        status=st.just(status),
        response=st.none(),
        model=st.none() | names,
        access=st.none() | accesses,
        usage=st.just(Usage()),
        cost_usd=st.none(),
        stop_reason=st.none(),
        started_at=st.none() | moments,
        duration_s=st.none() | durations,
        attempts=st.integers(0, 9),
        error=errors if status == "failed" else st.none() | errors,
        because=st.just(()) if status == "failed" else st.lists(names, max_size=2).map(tuple),
    )


agents = st.lists(
    completed | _without_answer("failed") | _without_answer("skipped"),
    max_size=5,
    unique_by=lambda agent: agent.name,
).map(tuple)


@st.composite
def results(draw: st.DrawFn) -> RunResult:
    members = draw(agents)
    return RunResult(
        run_id=draw(names),
        ensemble=draw(names),
        status=run_status(members),
        task=draw(anything),
        agents=members,
        started_at=draw(moments),
        duration_s=draw(durations),
        sandbox=draw(st.booleans()),
        recorded=draw(st.booleans()),
        error=draw(st.none() | errors),
    )
