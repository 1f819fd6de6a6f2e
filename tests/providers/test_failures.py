"""Statuses and providers' words as typed errors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.errors import (
    CredentialRefused,
    LlmOrcError,
    ModelNotFound,
    PromptTooLarge,
    ProviderError,
    ProviderOverloaded,
    ProviderUnreachable,
    RateLimited,
    ReplyCut,
    ReplyTimedOut,
    ReplyTooLarge,
    ReplyUnreadable,
    RequestRejected,
)
from llm_orc.net.text import one_line
from llm_orc.net.transport import TransportError, Trouble
from llm_orc.providers.base import Target
from llm_orc.providers.errors.failures import ProviderWords, from_status, from_transport, retry_after_s

TARGET = Target("openai", "m-0")
HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"
NOW = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (400, ProviderWords("prompt is too long: 250000 tokens > 200000 maximum"), PromptTooLarge),
        (400, ProviderWords("too long", code="context_length_exceeded"), PromptTooLarge),
        (400, ProviderWords("This model's maximum context length is 4096 tokens."), PromptTooLarge),
        (400, ProviderWords("The input token count (9) exceeds the maximum number"), PromptTooLarge),
        (400, ProviderWords("full", kind="exceed_context_size_error"), PromptTooLarge),
        (400, ProviderWords("nope", code="model_not_found"), ModelNotFound),
        (400, ProviderWords("x/y is not a valid model ID"), ModelNotFound),
        (400, ProviderWords("temperature must be <= 1"), RequestRejected),
        (402, ProviderWords("Insufficient credits"), RequestRejected),
        (408, ProviderWords("timeout"), ProviderOverloaded),
        (409, ProviderWords("lock"), ProviderOverloaded),
        (429, ProviderWords("slow down"), RateLimited),
        (429, ProviderWords("You exceeded your quota", code="insufficient_quota"), RequestRejected),
        (
            400,
            ProviderWords("This credential is only authorized for use with Claude Code and cannot be used"),
            CredentialRefused,
        ),
    ],
)
def test_words_decide_where_the_status_is_not_enough(
    status: int, words: ProviderWords, kind: type[LlmOrcError]
) -> None:
    error = from_status(status, words, TARGET, {}, now=NOW)

    assert type(error) is kind
    assert words.message in error.message


@pytest.mark.parametrize(
    ("trouble", "kind", "is_transient"),
    [
        (Trouble.NOT_SENT, ProviderUnreachable, True),
        (Trouble.CERTIFICATE, ProviderUnreachable, True),
        (Trouble.DROPPED, ReplyCut, True),
        (Trouble.SILENT, ReplyTimedOut, False),
        (Trouble.TOO_SLOW, ReplyTimedOut, False),
        (Trouble.TOO_LARGE, ReplyTooLarge, False),
        (Trouble.GARBAGE, ReplyUnreadable, False),
        (Trouble.INVALID, RequestRejected, False),
    ],
)
def test_every_trouble_on_the_way_has_its_error(
    trouble: Trouble, kind: type[ProviderError], is_transient: bool
) -> None:
    error = from_transport(TransportError(trouble, "the reason"), TARGET, "https://api.example.com")

    assert type(error) is kind
    assert error.is_transient is is_transient
    assert "`openai` (model `m-0`)" in error.message
    assert "the reason" in error.message
    assert error.hint


def test_a_lack_of_credit_is_no_reason_to_wait() -> None:
    error = from_status(400, ProviderWords("Your credit balance is too low"), TARGET, {}, now=NOW)

    assert "Add credit" in (error.hint or "")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Tue, 24 Nov 2026 03:00:30 GMT"}, 30.0),
        ({"retry-after": "Tue, 24 Nov 2026 02:00:00 GMT"}, 0.0),
        ({"retry-after": "Tue, 24 Nov 2026 03:00:30 -0000"}, 30.0),
        ({"retry-after-ms": "250", "retry-after": "12"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "9" * 20}, 1e9),
        ({"retry-after": "9" * 5000}, 1e9),
        ({"retry-after": "1e300"}, 1e9),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 -1200"}, 1e9),
        ({"retry-after": "Fri, 31 Dec 99999 23:59:59 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, ProviderWords(""), NOW) == seconds


@given(text=st.text(alphabet="0123456789.e+-:, GMTFri31Dec", max_size=40), name=st.sampled_from(["", "-ms"]))
def test_whatever_stands_in_retry_after_a_busy_provider_is_told_as_one(text: str, name: str) -> None:
    error = from_status(429, ProviderWords(""), TARGET, {f"retry-after{name}": text}, now=NOW)

    assert isinstance(error, RateLimited)
    assert error.retry_after_s is None or 0 <= error.retry_after_s <= 1e9


def test_a_wish_beyond_all_measure_is_told_with_its_end() -> None:
    error = from_status(429, ProviderWords(""), TARGET, {"retry-after": "9" * 20}, now=NOW)

    assert "asks to wait 1000000000 s" in error.message
    assert "Try again after 2058-" in (error.hint or "")


@pytest.mark.parametrize(
    ("seconds", "kept"), [(39.5, 39.5), (float("inf"), 1e9), (1e300, 1e9), (float("nan"), None), (-1.0, None)]
)
def test_a_wait_that_the_body_asks_for_counts_up_to_all_measure(seconds: float, kept: float | None) -> None:
    error = from_status(429, ProviderWords("", retry_after_s=seconds), TARGET, {}, now=NOW)

    assert isinstance(error, RateLimited)
    assert error.retry_after_s == kept


@given(st.text(max_size=3000))
def test_other_people_s_words_always_fit_one_printable_line(words: str) -> None:
    line = one_line(words)

    assert len(line) <= 300
    assert all(character.isprintable() for character in line)


@given(
    st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms"]),
        st.text(max_size=40) | st.floats().map(str) | st.datetimes().map(lambda d: d.strftime(HTTP_DATE)),
    )
)
def test_no_retry_after_is_too_strange(headers: dict[str, str]) -> None:
    error = from_status(429, ProviderWords(""), TARGET, headers, now=NOW)

    assert isinstance(error, RateLimited)
    assert error.retry_after_s is None or error.retry_after_s >= 0


_ODD = st.one_of(
    st.text(max_size=30),
    st.floats().map(str),
    st.integers().map(str),
    st.datetimes().map(lambda then: then.strftime("%a, %d %b %Y %H:%M:%S -2359")),
    st.just("Fri, 31 Dec 9999 23:59:59 -2359"),
)


@given(
    status=st.integers(300, 999),
    words=st.builds(ProviderWords, _ODD, _ODD, _ODD, st.none() | st.floats()),
    headers=st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "location"]), _ODD),
)
def test_whatever_a_provider_says_becomes_a_typed_error(
    status: int, words: ProviderWords, headers: dict[str, str]
) -> None:
    error = from_status(status, words, TARGET, headers)

    assert isinstance(error, LlmOrcError)
    wait = getattr(error, "retry_after_s", None)
    assert wait is None or 0 <= wait < 1e10


@pytest.mark.parametrize(
    ("status", "said", "hint"),
    [
        (400, "registry.ollama.ai/library/x does not support tools", "can call tools"),
        (404, "No endpoints found that support tool use.", "can call tools"),
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser', "can call tools"),
        (400, "Function calling is not enabled for models/gemma", "can call tools"),
        (404, "No endpoints found that support image input", "takes images"),
        (400, "Unsupported content: PDF input", "takes images"),
    ],
)
def test_a_model_that_can_not_do_something_is_no_model_that_does_not_exist(
    status: int, said: str, hint: str
) -> None:
    error = from_status(status, ProviderWords(said), Target("p", "m"), {})

    assert type(error) is RequestRejected
    assert hint in (error.hint or "")
