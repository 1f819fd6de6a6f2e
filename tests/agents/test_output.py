"""What an answer took is the sum of its calls, and what is not known of one is not known of all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.path import AgentPath
from llm_orc.auth.access import Access, Billing
from llm_orc.engine.events import AgentFinished, AgentStarted, ModelChosen, RunFinished, RunStarted
from llm_orc.providers.base import NO_USAGE, Usage
from llm_orc.runs.spend import spend_of
from llm_orc.runs.state import RunState

METERED = Access("openai", "api-key", Billing.METERED, "environment variable X", "https://api.example")
PLAN = Access("claude-cli", "claude-cli", Billing.SUBSCRIPTION, "plan", "https://api.example")

_counts = st.none() | st.integers(0, 10_000)
_calls = st.builds(
    ModelCall,
    st.sampled_from(["m-1", "m-2"]),
    st.sampled_from([METERED, PLAN]),
    st.builds(Usage, _counts, _counts, st.integers(0, 9), st.integers(0, 9)),
    st.none() | st.floats(0, 10),
)


@given(st.lists(_calls, max_size=4))
def test_sums_are_unknown_where_a_part_is(calls: list[ModelCall]) -> None:
    output = AgentOutput("yes", tuple(calls))

    costs = [call.cost_usd for call in calls]
    known = [cost for cost in costs if cost is not None]
    assert output.cost_usd == (sum(known) if len(known) == len(costs) else None)
    for counted in ("input_tokens", "output_tokens"):
        counts = [getattr(call.usage, counted) for call in calls]
        assert getattr(output.usage, counted) == (None if None in counts else sum(counts))
    assert output.usage.cache_read_tokens == sum(call.usage.cache_read_tokens for call in calls)
    assert spend_of(output).calls == len(calls)
    assert spend_of(output).unknown_costs == costs.count(None)


def test_an_answer_without_a_model_took_nothing() -> None:
    output = AgentOutput("yes", (), {"answer": True})

    assert (output.model, output.access, output.last) == (None, None, None)
    assert (output.usage, output.cost_usd, spend_of(output).calls) == (NO_USAGE, 0.0, 0)


def test_each_call_is_paid_by_its_own_access() -> None:
    calls = (ModelCall("m-1", METERED, Usage(10, 5), 0.25), ModelCall("m-2", PLAN, Usage(7, 3), 0.0))
    state = RunState()
    for event in (
        RunStarted(0.0, "run-1", "panel", ("a",), "the task"),
        AgentStarted(0.0, AgentPath("a"), "model"),
        ModelChosen(0.0, AgentPath("a"), "m-1", METERED),
        AgentFinished(1.0, AgentPath("a"), 1.0, AgentOutput("yes", calls)),
        RunFinished(1.0, "completed", 1.0),
    ):
        state.apply(event)

    result = state.result()

    assert {who: (spend.calls, spend.cost_usd) for who, spend in result.by_billing.items()} == {
        "subscription": (1, 0.0),
        "metered": (1, 0.25),
    }
    assert (result["a"].model, result["a"].cost_usd, result["a"].calls) == ("m-2", 0.25, calls)
    assert (result.total.calls, result.total.cost_usd) == (2, 0.25)
