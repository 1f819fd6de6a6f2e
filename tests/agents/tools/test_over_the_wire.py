"""A loop of tools over real HTTP: in every protocol, and with a fallback of another protocol in its middle."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from llm_orc.auth.apply import ApiKeyHeader
from llm_orc.auth.secret import Secret
from llm_orc.catalog.dialects import DIALECTS
from llm_orc.engine.events import AgentFinished
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.base import ModelInterface
from llm_orc.providers.build import build_model
from llm_orc.providers.endpoint import Endpoint
from llm_orc.sandbox.canned import LABEL, Said
from llm_orc.sandbox.faults import Fault, Status
from llm_orc.sandbox.server import Sandbox
from tests.agents.tools.conftest import few_tools, run
from tests.fakes.scripted_model import called, scripted

TURNS = (
    Said("I look.", (called("run_it", "one", n=1), called("run_it", "two", n=2))),
    Said("", (called("run_it", "three", n=3),)),
    "Done.",
)
CALLED = [("run.it", {"n": 1}), ("run.it", {"n": 2}), ("run.it", {"n": 3})]


def model_of(dialect: str, sandbox: Sandbox, http: Http, *, stream: bool = False) -> ModelInterface:
    row = next(row for row in DIALECTS.values() if row.name == dialect)
    endpoint = Endpoint(row.author or "a-provider", row.name, sandbox.base_url(dialect), sandbox.origin)
    key = ApiKeyHeader(sandbox.origin, row.key_header, Secret("k"), row.key_scheme)
    return build_model(endpoint, f"m-of-{dialect}", key, http, stream=stream, max_retries=0)


@asynccontextmanager
async def connections() -> AsyncIterator[Http]:
    async with Http(NetworkSettings(idle_timeout_s=30), max_connections=5) as http:
        yield http


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("dialect", list(DIALECTS))
async def test_a_loop_of_three_rounds_ends_in_an_answer(dialect: str, *, stream: bool) -> None:
    tools = few_tools()
    async with connections() as http, Sandbox(compose=scripted(*TURNS)) as sandbox:
        sink = await run(model_of(dialect, sandbox, http, stream=stream), tools)

    assert [e.output.text for e in sink.events if isinstance(e, AgentFinished)] == [f"{LABEL} Done."]
    assert tools.called == CALLED
    results = [result.text for message in sandbox.requests[2].messages for result in message.results]
    assert results == ["result of {'n': 1}", "result of {'n': 2}", "result of {'n': 3}"]


@pytest.mark.parametrize("other", list(DIALECTS))
@pytest.mark.parametrize("dialect", list(DIALECTS))
async def test_a_fallback_of_any_protocol_can_go_on_in_the_middle(dialect: str, other: str) -> None:
    """The provider that fails has signed its turn; the one that goes on wants signatures of its own."""
    tools = few_tools()
    fault = Fault(Status(500), model=f"m-of-{dialect}", after=1)
    async with (
        connections() as http,
        Sandbox(compose=scripted(*TURNS), faults=[fault]) as first,
        Sandbox(compose=scripted(*TURNS)) as second,
    ):
        sink = await run([model_of(dialect, first, http), model_of(other, second, http)], tools)

    assert [e.output.text for e in sink.events if isinstance(e, AgentFinished)] == [f"{LABEL} Done."]
    assert tools.called == CALLED
    assert second.request_count == 2
