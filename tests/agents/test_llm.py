"""Which models an agent may use, in order, and how it falls from one to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from llm_orc.agents.candidate import Candidate
from llm_orc.agents.choice import ModelChoice, Untrusted, choose_models
from llm_orc.agents.llm import LlmCaller
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.agents.work import ModelRef, ModelWork
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
    SettingsError,
)
from llm_orc.providers.base import ModelInterface, ModelRequest, Reply, ReplyObserver, Usage
from llm_orc.settings.model import ModelProfile, Origin

USER = Origin("user")
PROFILES = {
    "default": ModelProfile("default", USER),
    "cheap": ModelProfile("cheap", USER, provider="ollama", model="small", fallback_model_profile="dear"),
    "dear": ModelProfile(
        "dear", USER, provider="openai", model="large", temperature=0.2, options={"a": 1, "b": 1}
    ),
    "circle": ModelProfile("circle", USER, provider="ollama", model="x", fallback_model_profile="circle"),
    "oldest-form": ModelProfile("oldest-form", USER, model="anthropic-api"),
    "half": ModelProfile("half", USER, model="some-model"),
}


def choose(
    work: ModelWork, untrusted: Collection[str] = (), ensemble: str | None = None
) -> tuple[ModelChoice, ...]:
    words = Untrusted(lambda key: f"config.yaml: {key}" if key in untrusted else None, ensemble)
    return choose_models(work, None, PROFILES.__getitem__, words)


def named(choices: tuple[ModelChoice, ...]) -> list[tuple[str | None, str | None, str]]:
    return [(c.provider, c.model, c.named_by) for c in choices]


def test_an_agent_that_names_nothing_takes_the_profile_default() -> None:
    assert named(choose(ModelWork())) == [(None, None, "nobody")]


def test_an_agents_own_provider_is_the_ensembles_choice() -> None:
    assert named(choose(ModelWork(ModelRef(provider="openai", model="m")))) == [("openai", "m", "ensemble")]


def test_a_profiles_fallbacks_follow_in_order() -> None:
    assert named(choose(ModelWork(ModelRef(profile="cheap")))) == [
        ("ollama", "small", "user"),
        ("openai", "large", "user"),
    ]


def test_the_agents_own_fallback_wins_over_its_profiles() -> None:
    choices = choose(ModelWork(ModelRef(profile="cheap"), fallback_model_profile="circle"))

    assert named(choices) == [("ollama", "small", "user"), ("ollama", "x", "user")]


def test_what_the_agent_says_wins_over_its_profile() -> None:
    work = ModelWork(ModelRef(profile="dear"), temperature=0.9, options={"b": 2}, system_prompt="role")

    [choice] = choose(work)

    assert (choice.temperature, choice.options, choice.system_prompt) == (0.9, {"a": 1, "b": 2}, "role")


def test_the_oldest_form_names_a_provider_in_the_models_place() -> None:
    assert named(choose(ModelWork(ModelRef(profile="oldest-form")))) == [("anthropic-api", None, "user")]


def test_a_profile_with_a_model_of_no_provider_is_an_error_that_lists_the_providers() -> None:
    with pytest.raises(SettingsError, match="half") as caught:
        choose(ModelWork(ModelRef(profile="half")))

    assert "ollama" in (caught.value.hint or "")


@pytest.mark.parametrize("key", ["provider", "model"])
def test_a_provider_that_an_untrusted_project_names_is_the_projects_choice(key: str) -> None:
    choices = choose(ModelWork(ModelRef(profile="dear")), {f"model_profiles.dear.{key}"})

    assert [c.named_by for c in choices] == ["project"]


def test_a_fallback_that_an_untrusted_project_ties_on_is_the_projects_choice() -> None:
    choices = choose(ModelWork(ModelRef(profile="cheap")), {"model_profiles.cheap.fallback_model_profile"})

    assert [c.named_by for c in choices] == ["user", "project"]


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

    def notice(self, message: str) -> None: ...


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
