"""A provider with rules for its calls: what goes out, what counts as an answer, and what its error codes mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from llm_orc.auth.apply import NoCredential
from llm_orc.catalog.call_rules import CallRules
from llm_orc.catalog.chatgpt import CHATGPT_CALLS
from llm_orc.errors import (
    AccessRefused,
    ContentRefused,
    CredentialRefused,
    LlmOrcError,
    PlanLimitReached,
    ProviderOverloaded,
    ReplyCut,
    RequestRejected,
)
from llm_orc.providers.base import Message, ModelRequest, Target
from llm_orc.providers.build import dialect_of
from llm_orc.providers.endpoint import Endpoint, endpoint_of
from llm_orc.providers.lookup import find_provider
from llm_orc.providers.model import HttpModel
from llm_orc.providers.retries import Retries
from llm_orc.settings.model import CallSettings, OAuthSettings, ProviderSettings
from tests.fakes.loopback import Cut, Loopback, answer, stream
from tests.providers.dialects import test_openai_responses
from tests.providers.dialects.test_openai_responses import typed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.catalog.rows import DialectName
    from llm_orc.jsontypes import JsonValue
    from llm_orc.net.http import Http
    from tests.providers.conftest import Naps, Watcher

wire = test_openai_responses.TestOpenAIResponses()
YES = stream(*wire.events(["ye", "s"], "end_turn"))
PAGE = "https://chatgpt.com/settings/usage"
ASKED = ModelRequest(
    (Message("user", "Is it?"),),
    system_prompt="You judge.",
    temperature=0.5,
    max_tokens=100,
    options={"top_p": 0.5, "metadata": {"a": "b"}, "reasoning": {"effort": "low"}, "prompt_cache_key": "k"},
)


def model(
    server: Loopback, http: Http, naps: Naps, *, rules: CallRules = CHATGPT_CALLS, streams: bool = False
) -> HttpModel:
    rules = replace(rules, usage_page=PAGE)
    endpoint = Endpoint("plan", "openai-responses", f"{server.url}/v1", server.url, calls=rules)
    dialect = dialect_of("openai-responses")
    retries = Retries(4, naps, lambda: 1.0)
    return HttpModel(endpoint, "m-0", dialect, NoCredential(server.url), http, retries=retries, stream=streams)


async def failure(model: HttpModel, kind: type[LlmOrcError]) -> Any:
    with pytest.raises(kind) as caught:
        await model.reply(ASKED)
    assert type(caught.value) is kind
    return caught.value


async def test_a_request_has_what_is_demanded_and_nothing_that_is_refused(
    server: Loopback, http: Http, naps: Naps
) -> None:
    server.answers(YES)

    reply = await model(server, http, naps).reply(ASKED)

    assert (reply.text, reply.stop_reason, reply.usage) == ("yes", "end_turn", wire.usage)
    assert server.heard[0].json == {
        "model": "m-0",
        "instructions": "You judge.",
        "input": [{"role": "user", "content": "Is it?"}],
        "store": False,
        "stream": True,
        "reasoning": {"effort": "low"},
        "prompt_cache_key": "k",
    }


async def test_who_watches_gets_the_text_as_it_comes(
    server: Loopback, http: Http, naps: Naps, watcher: Watcher
) -> None:
    server.answers(YES)

    await model(server, http, naps, streams=True).reply(ASKED, watcher)

    assert "".join(watcher.pieces) == "yes"


async def test_who_must_not_stream_gets_no_pieces(
    server: Loopback, http: Http, naps: Naps, watcher: Watcher
) -> None:
    server.answers(YES)

    await model(server, http, naps).reply(ASKED, watcher)

    assert watcher.pieces == []


@pytest.mark.parametrize("rules", [CHATGPT_CALLS, CallRules()])
async def test_a_conversation_has_a_key_where_the_provider_caches_by_it(
    server: Loopback, http: Http, naps: Naps, rules: CallRules
) -> None:
    server.answers(YES if rules.always_stream else answer(wire.whole("yes", "end_turn")))

    await model(server, http, naps, rules=rules).reply(replace(ASKED, conversation="mine", options={}))

    assert ("prompt_cache_key" in server.heard[0].json) == rules.caches_by_key


async def test_a_schema_passes(server: Loopback, http: Http, naps: Naps) -> None:
    server.answers(YES)
    schema: dict[str, JsonValue] = {
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}
    }

    await model(server, http, naps).reply(replace(ASKED, options=schema))

    assert server.heard[0].json["text"] == schema["text"]


@pytest.mark.parametrize("reason", ["max_output_tokens", "something_new"])
async def test_an_incomplete_answer_is_none_although_it_has_text(
    server: Loopback, http: Http, naps: Naps, reason: str
) -> None:
    ended = {**wire.whole("half", "end_turn"), "status": "incomplete", "incomplete_details": {"reason": reason}}
    delta = typed("response.output_text.delta", delta="half")
    server.answers(stream(delta, typed("response.incomplete", response=ended)))

    error = await failure(model(server, http, naps), ReplyCut)

    assert "broke off" in error.message
    assert error.would_again == (reason == "max_output_tokens")
    assert len(server.heard) == (1 if error.would_again else 5)


async def test_an_answer_that_a_filter_ended_is_a_refusal(server: Loopback, http: Http, naps: Naps) -> None:
    ended = {**wire.whole("half", "end_turn"), "incomplete_details": {"reason": "content_filter"}}
    server.answers(stream(typed("response.incomplete", response={**ended, "status": "incomplete"})))

    await failure(model(server, http, naps), ContentRefused)


@pytest.mark.parametrize(
    "events",
    [
        [typed("response.output_text.delta", delta="half")],
        [typed("response.output_text.delta", delta="half"), Cut],
        [typed("response.cancelled", response={**wire.whole("half", "end_turn"), "status": None})],
        [typed("response.incomplete", response=wire.whole("half", "end_turn"))],  # it contradicts itself
        [typed("response.completed", response={**wire.whole("half", "end_turn"), "status": "in_progress"})],
    ],
)
async def test_only_a_completed_response_is_an_answer(
    server: Loopback, http: Http, naps: Naps, events: Sequence[bytes | type[Cut]]
) -> None:
    server.answers(stream(*events))

    await failure(model(server, http, naps), ReplyCut)

    assert len(server.heard) == 5


async def test_without_the_rule_an_answer_may_end_at_its_limit(server: Loopback, http: Http, naps: Naps) -> None:
    server.answers(answer(wire.whole("half", "max_tokens")))

    reply = await model(server, http, naps, rules=CallRules()).reply(ASKED)

    assert (reply.text, reply.stop_reason) == ("half", "max_tokens")
    assert server.heard[0].json["max_output_tokens"] == 100
    assert "stream" not in server.heard[0].json


@pytest.mark.parametrize(
    ("dialect", "limit"),
    [("openai-chat", "max_tokens"), ("openai-responses", "max_output_tokens"), ("gemini", "maxOutputTokens")],
)
def test_every_dialect_leaves_out_what_is_refused(dialect: DialectName, limit: str) -> None:
    rules = CallRules(leave_out=("temperature", "max_output_tokens"))
    request = replace(ASKED, options={})

    usual = dialect_of(dialect).encode(request, Target("p", "m"), stream=False).body.decode()
    ruled = dialect_of(dialect).encode(request, Target("p", "m", rules), stream=False).body.decode()

    for field in (limit, "temperature"):
        assert f'"{field}"' in usual
        assert f'"{field}"' not in ruled


@dataclass(frozen=True)
class Code:
    """One error code: its status, what it becomes, and how often it is asked."""

    code: str
    status: int
    kind: type[LlmOrcError]
    asked: int = 1


LIMIT = Code("subscription_sharing_usage_limit_exceeded", 429, PlanLimitReached)
CODES = (
    LIMIT,
    Code("subscription_sharing_user_not_eligible", 403, AccessRefused),
    Code("subscription_sharing_usage_unavailable", 503, ProviderOverloaded, 5),
    Code("subscription_sharing_user_unavailable", 503, ProviderOverloaded, 5),
    Code("subscription_sharing_unsupported_capability", 400, RequestRejected),
    Code("subscription_sharing_route_not_supported", 403, RequestRejected),
    Code("subscription_sharing_invalid_user", 401, CredentialRefused),
    Code("invalid_token", 401, CredentialRefused),
)


def said(code: str) -> dict[str, object]:
    return {"code": code, "message": "It said so.", "type": "t", "param": "top_k"}


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.code)
async def test_a_code_decides_what_an_error_means(server: Loopback, http: Http, naps: Naps, code: Code) -> None:
    server.answers(answer({"error": said(code.code)}, code.status))

    error = await failure(model(server, http, naps), code.kind)

    assert (error.status, error.provider_message) == (code.status, "It said so.")
    assert len(server.heard) == code.asked
    assert not error.may_be_billed


@pytest.mark.parametrize("is_event", [False, True], ids=["response.failed", "error"])
@pytest.mark.parametrize("code", CODES, ids=lambda code: code.code)
async def test_a_code_means_the_same_in_a_stream_after_text(
    server: Loopback, http: Http, naps: Naps, code: Code, *, is_event: bool
) -> None:
    failed = {"status": "failed", "error": said(code.code), "output": []}
    end = typed("error", error=said(code.code)) if is_event else typed("response.failed", response=failed)
    server.answers(stream(typed("response.output_text.delta", delta="half"), end))

    error = await failure(model(server, http, naps), code.kind)

    assert (error.status, error.provider_message) == (code.status, "It said so.")
    assert len(server.heard) == code.asked
    assert error.may_be_billed


async def test_a_used_up_plan_leads_to_its_page_and_knows_no_time(
    server: Loopback, http: Http, naps: Naps
) -> None:
    server.answers(answer({"error": said(LIMIT.code)}, 429))

    error = await failure(model(server, http, naps), PlanLimitReached)

    assert (error.resets_at, error.retry_after_s) == (None, None)
    assert "a limit of the plan is reached: It said so." in error.message
    assert f"Manage usage: {PAGE}." in error.hint


async def test_a_reset_time_that_is_told_is_told_on(server: Loopback, http: Http, naps: Naps) -> None:
    server.answers(answer({"error": said(LIMIT.code)}, 429, {"retry-after": "7200"}))

    error = await failure(model(server, http, naps), PlanLimitReached)

    assert error.retry_after_s == 7200
    assert "it resets at 20" in error.message


async def test_a_reset_time_that_no_plan_has_is_unknown(server: Loopback, http: Http, naps: Naps) -> None:
    server.answers(answer({"error": said(LIMIT.code)}, 429, {"retry-after": "99999999"}))

    error = await failure(model(server, http, naps), PlanLimitReached)

    assert (error.resets_at, error.retry_after_s) == (None, None)
    assert "it resets" not in error.message


async def test_who_is_not_eligible_is_not_sent_to_sign_in_again(server: Loopback, http: Http, naps: Naps) -> None:
    server.answers(answer({"error": said("subscription_sharing_user_not_eligible")}, 403))

    error = await failure(model(server, http, naps), AccessRefused)

    assert error.signature == "not-eligible"
    assert "Signing in again changes nothing." in error.hint
    assert "auth add" not in error.hint


async def test_what_is_not_supported_is_named_and_ours(server: Loopback, http: Http, naps: Naps) -> None:
    server.answers(answer({"error": said("subscription_sharing_unsupported_capability")}, 400))

    error = await failure(model(server, http, naps), RequestRejected)

    assert "does not support `top_k`" in error.message
    assert "please report it" in error.hint


@pytest.mark.parametrize(
    ("body", "status", "kind", "words"),
    [
        ({"detail": {"error_code": "invalid_token"}}, 401, CredentialRefused, "invalid_token"),
        ({"detail": {"error_code": "other", "message": "No."}}, 403, CredentialRefused, "No."),
        ({"detail": "Direct routing is off."}, 503, ProviderOverloaded, "Direct routing is off."),
        ({"detail": {}}, 400, RequestRejected, '{"detail": {}}'),
        ({"detail": [{"loc": ["body"], "msg": "odd"}]}, 400, RequestRejected, "odd"),
        ({"detail": {"error_code": 5}}, 400, RequestRejected, "error_code"),
    ],
)
async def test_the_details_of_a_gateway_are_read(
    server: Loopback, http: Http, naps: Naps, body: object, status: int, kind: type[LlmOrcError], words: str
) -> None:
    server.answers(answer(body, status))

    error = await failure(model(server, http, naps), kind)

    assert words in error.message


def test_a_provider_of_this_kind_needs_no_code() -> None:
    own = ProviderSettings(
        "mine",
        base_url="https://plan.example/v1",
        dialect="openai-responses",
        oauth=OAuthSettings(usage_page=PAGE),
        calls=CallSettings(always_stream=True, leave_out=("temperature",), errors={"too_much": "plan-limit"}),
    )

    endpoint = endpoint_of(find_provider("mine", {"mine": own}), {"mine": own})

    assert endpoint.calls == CallRules(
        always_stream=True, leave_out=("temperature",), errors={"too_much": "plan-limit"}, usage_page=PAGE
    )


def test_settings_add_to_the_rules_of_a_row() -> None:
    own = ProviderSettings("openai", calls=CallSettings(only_completed=True))

    assert find_provider("openai", {"openai": own}).calls == CallRules(only_completed=True)
    assert find_provider("openai", {}).calls == CallRules()
