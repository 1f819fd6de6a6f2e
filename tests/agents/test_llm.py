"""How an agent falls from one of its models to the next."""

from __future__ import annotations

import asyncio

import pytest

from llm_orc.agents.candidate import Candidate
from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.model.caller import LlmCaller
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.auth.access import Access, Billing
from llm_orc.errors import (
    AgentTimedOut,
    ContentRefused,
    CredentialRefused,
    LlmOrcError,
    ModelNotFound,
    ProviderOverloaded,
    ReplyUnreadable,
    RequestRejected,
)
from llm_orc.providers.base import ModelInterface, ModelRequest, Reply, ReplyObserver, Usage
from llm_orc.providers.limits.plans import UsedUp

ACCESS = Access("pretend", "none", Billing.LOCAL, "no credential needed", "http://127.0.0.1:1")


class Scripted(ModelInterface):
    """Answers, fails or waits as told."""

    provider = "pretend"

    def __init__(self, name: str, does: LlmOrcError | str | float) -> None:
        self.name, self._does = name, does
        self.requests: list[ModelRequest] = []

    async def reply(self, request: ModelRequest, observer: ReplyObserver | None = None) -> Reply:
        self.requests.append(request)
        match self._does:
            case LlmOrcError() as error:
                raise error
            case float() as seconds:
                await asyncio.sleep(seconds)
            case _:
                pass
        return Reply(str(self._does), f"{self.name}-as-of-today", Usage(10, 5))


class Watcher:
    def __init__(self) -> None:
        self.seen: list[tuple[str, ...]] = []

    def calling(self, model: str, access: Access) -> None:
        self.seen.append(("calling", model))

    def switched(self, model: str, access: Access, because: LlmOrcError) -> None:
        self.seen.append(("switched", model, because.code))

    def text(self, piece: str) -> None: ...

    def retrying(self, error: LlmOrcError, attempt: int, delay_s: float) -> None: ...

    def rejected(self, call: object, error: LlmOrcError, attempt: int) -> None: ...

    def notice(self, message: str) -> None: ...

    def items(self, total: int) -> None: ...
    def round(self, number: int, total: int) -> None: ...

    def waiting(self, for_plan: UsedUp) -> None:
        self.seen.append(("waiting", for_plan.model or "all", f"{for_plan.until:.0f}"))

    def wait_over(self) -> None:
        self.seen.append(("wait over",))


async def ask(*models: ModelInterface, timeout_s: float | None = None) -> tuple[AgentOutput, Watcher]:
    choice = ModelChoice("pretend", "m", "user", system_prompt="You are a lawyer.", timeout_s=timeout_s)
    candidates = [
        Candidate(choice, model, ACCESS, lambda _model, usage: (usage.input_tokens or 0) * 0.1) for model in models
    ]
    watcher = Watcher()
    caller = LlmCaller({"a": candidates})
    return await caller(AgentTurn(AgentPath("a"), AgentSpec("a"), "the prompt", watcher)), watcher


async def test_a_turn_sends_role_and_prompt_and_returns_what_came() -> None:
    model = Scripted("m", "Yes.")

    output, watcher = await ask(model)

    assert (model.requests[0].system_prompt, model.requests[0].messages[0].content) == (
        "You are a lawyer.",
        "the prompt",
    )
    assert (output.text, output.model, output.cost_usd) == ("Yes.", "m-as-of-today", 1.0)
    assert watcher.seen == [("calling", "m")]


@pytest.mark.parametrize("failure", [ProviderOverloaded("busy"), CredentialRefused("no"), ModelNotFound("gone")])
async def test_what_another_model_may_cure_goes_to_the_next(failure: LlmOrcError) -> None:
    output, watcher = await ask(Scripted("first", failure), Scripted("second", "Yes."))

    assert output.text == "Yes."
    assert watcher.seen == [("calling", "first"), ("switched", "second", failure.code)]


@pytest.mark.parametrize("failure", [RequestRejected("bad option"), ContentRefused("no")])
async def test_what_no_other_model_cures_does_not_fall_through(failure: LlmOrcError) -> None:
    second = Scripted("second", "Yes.")

    with pytest.raises(type(failure)):
        await ask(Scripted("first", failure), second)

    assert second.requests == []


async def test_the_last_models_error_is_the_agents() -> None:
    with pytest.raises(ModelNotFound, match="second"):
        await ask(Scripted("first", ProviderOverloaded("first")), Scripted("second", ModelNotFound("second")))


async def test_a_model_that_takes_too_long_is_left_for_the_next() -> None:
    output, watcher = await ask(Scripted("slow", 60.0), Scripted("quick", "Yes."), timeout_s=0.02)

    assert output.text == "Yes."
    assert watcher.seen[-1] == ("switched", "quick", "agent_timed_out")


async def test_taking_too_long_with_no_other_model_names_the_agent_and_its_limit() -> None:
    with pytest.raises(AgentTimedOut, match=r"agent `a` took longer than its limit of 0\.02 s"):
        await ask(Scripted("slow", 60.0), timeout_s=0.02)


@pytest.mark.parametrize("blank", ["", " \n", "\u200b\u2060", "\u3164"])
async def test_an_answer_that_nobody_can_see_goes_to_the_next_and_is_an_error_at_the_end(blank: str) -> None:
    output, watcher = await ask(Scripted("blank", blank), Scripted("second", "Yes."))

    assert output.text == "Yes."
    assert watcher.seen[-1] == ("switched", "second", "reply_unreadable")
    with pytest.raises(ReplyUnreadable, match="without any text"):
        await ask(Scripted("blank", blank))


async def test_half_a_character_of_any_model_is_replaced() -> None:
    output, _ = await ask(Scripted("odd\udcff", "half \ud83d of one"))

    assert (output.text, output.model) == ("half \ufffd of one", "odd\ufffd-as-of-today")
