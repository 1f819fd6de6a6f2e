"""Whatever a model answers: what is accepted satisfies its schema, and its quotes occur; it is asked no more often."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.context import AgentContext
from llm_orc.agents.evidence.spec import Evidence
from llm_orc.agents.model.kind import MODEL
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.agents.work import ModelWork
from llm_orc.engine.observer import EventObserver
from llm_orc.errors import AnswerInvalid
from llm_orc.schemas.short import expanded
from llm_orc.schemas.validate import checker_for
from tests.engine.conftest import KeptEvents, RealClock

if TYPE_CHECKING:
    from llm_orc.agents.evidence.spec import WithoutEvidence
    from llm_orc.jsontypes import JsonValue

SOURCE = "Ada paid 3 EUR.\nBob  paid “nothing”."
QUOTES = ["Ada paid", "paid 3 EUR. Bob", 'Bob paid "nothing"', "Bob paid 3", "", "…", "nobody", "PAID"]
SCHEMA = expanded(
    {"findings": {"type": "array", "maxItems": 4, "items": {"type": "object", "properties": {"quote": {}}}}}
)

findings = st.lists(st.fixed_dictionaries({"quote": st.sampled_from(QUOTES)}), max_size=5)
answers = findings.map(lambda found: json.dumps({"findings": found})) | st.sampled_from(
    ["", "no JSON", "[]", "{}", '{"findings": null}', '```json\n{"findings": []}\n```']
)


def quotes_in(data: JsonValue) -> list[str]:
    assert isinstance(data, dict)
    return [str(one["quote"]) for one in data["findings"]]


@given(st.lists(answers, min_size=1, max_size=5), st.integers(0, 3), st.sampled_from(["fail", "drop"]))
def test_what_is_accepted_has_evidence(said: list[str], repairs: int, otherwise: WithoutEvidence) -> None:
    work = ModelWork(
        schema=SCHEMA, repairs=repairs, evidence=(Evidence("findings.quote", ("${task}",), otherwise),)
    )
    asked: list[str] = []

    async def ask(turn: AgentTurn) -> AgentOutput:
        asked.append(turn.prompt)
        return AgentOutput(said[min(len(asked), len(said)) - 1], ())

    path = AgentPath("a")
    texts = {"evidence.findings.quote": SOURCE}
    observer = EventObserver(path, KeptEvents(), RealClock())
    turn = AgentTurn(path, AgentSpec("a", work), "Find.", observer, texts=texts)

    async def answer() -> AgentOutput:
        return await MODEL.run(AgentContext(turn, ask), work)

    try:
        output = asyncio.run(answer())
    except AnswerInvalid:
        assert len(asked) == repairs + 1
        return

    assert checker_for(SCHEMA).complaints(output.data) == ()
    assert json.loads(output.text) == output.data
    found = quotes_in(output.data)
    assert set(found) <= set(QUOTES[:3])
    assert output.evidence is not None
    assert output.evidence.quotes - output.evidence.dropped == len(found)
    assert output.evidence.dropped == 0 or (otherwise == "drop" and len(asked) == repairs + 1)
    assert len(asked) <= repairs + 1
