"""Results as a run leaves them: two answers, a failure, and an agent that was skipped for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.path import AgentPath
from llm_orc.auth.access import Access, Billing
from llm_orc.engine.events import (
    AgentDelta,
    AgentFailed,
    AgentFinished,
    AgentSkipped,
    AgentStarted,
    ErrorInfo,
    ModelChosen,
    ModelRetrying,
    ModelSwitched,
    RunEvent,
    RunFinished,
    RunStarted,
)
from llm_orc.providers.base import Usage
from llm_orc.runs.results import RunResult
from llm_orc.runs.state import RunState

METERED = Access(
    provider="anthropic-api",
    method="api-key",
    billing=Billing.METERED,
    source="environment variable ANTHROPIC_API_KEY",
    endpoint="https://api.anthropic.com",
)
LOCAL = Access(
    provider="ollama",
    method="none",
    billing=Billing.LOCAL,
    source="no credential needed",
    endpoint="http://127.0.0.1:11434",
)
LIMITED = ErrorInfo(code="rate_limited", message="`openai` allows no more calls now", hint="wait", exit_code=5)


def answer(text: str, *, access: Access = METERED, cost_usd: float | None = 0.0031) -> AgentOutput:
    usage = Usage(input_tokens=1204, output_tokens=310, cache_read_tokens=1000)
    return AgentOutput(text, (ModelCall("some-model", access, usage=usage, cost_usd=cost_usd),))


@pytest.fixture
def events() -> tuple[RunEvent, ...]:
    """One of each event but `RunStopped`, in an order that can happen."""
    names = ("analyst", "marketer", "lawyer", "chair")
    return (
        RunStarted(at=1_700_000_000.25, run_id="run-1", ensemble="panel", agents=names, task="Worth it?"),
        AgentStarted(1_700_000_000.5, AgentPath("analyst"), "model"),
        ModelChosen(1_700_000_000.5, AgentPath("analyst"), "some-model", METERED),
        AgentStarted(1_700_000_000.5, AgentPath("marketer"), "model"),
        ModelChosen(1_700_000_000.5, AgentPath("marketer"), "small-model", LOCAL),
        AgentStarted(1_700_000_000.5, AgentPath("lawyer"), "model"),
        ModelChosen(1_700_000_000.5, AgentPath("lawyer"), "some-model", METERED),
        AgentDelta(agent=AgentPath("analyst"), text="The num"),
        ModelRetrying(at=1_700_000_001.0, agent=AgentPath("analyst"), attempt=2, delay_s=0.5, error=LIMITED),
        ModelSwitched(
            at=1_700_000_002.0, agent=AgentPath("marketer"), model="some-model", access=METERED, error=LIMITED
        ),
        AgentFinished(
            at=1_700_000_003.0,
            agent=AgentPath("marketer"),
            duration_s=2.5,
            output=answer("Sell.", access=LOCAL, cost_usd=0.0),
        ),
        AgentFinished(
            at=1_700_000_003.7, agent=AgentPath("analyst"), duration_s=3.2, output=answer("The numbers hold.")
        ),
        AgentFailed(at=1_700_000_004.0, agent=AgentPath("lawyer"), duration_s=3.5, error=LIMITED),
        AgentSkipped(at=1_700_000_004.0, agent=AgentPath("chair"), because=("lawyer",)),
        RunFinished(at=1_700_000_004.0, status="completed_with_errors", duration_s=3.75),
    )


@pytest.fixture
def result(events: tuple[RunEvent, ...]) -> RunResult:
    state = RunState()
    for event in events:
        state.apply(event)
    return state.result()


@pytest.fixture
def sandbox_result(result: RunResult) -> RunResult:
    return replace(result, sandbox=True)
