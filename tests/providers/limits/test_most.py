"""The most that a call can cost: no call that keeps within its limits costs more, at any list price."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llm_orc.providers.base import Message, ModelRequest, Target, Usage
from llm_orc.providers.dialects.openai_chat import OpenAIChat
from llm_orc.providers.limits.most import likely_input_tokens, most_input_tokens, most_output_tokens
from llm_orc.providers.limits.pdf_pages import most_pages
from llm_orc.providers.parts import Attachment, ToolOffer
from llm_orc.providers.prices import listed_usd

MODELS = (
    ("anthropic-api", "claude-sonnet-4-5"),  # dearer with a long prompt
    ("anthropic-api", "claude-opus-4-5"),
    ("openai", "gpt-5"),
    ("openai", "gpt-5.5"),
    ("google-gemini", "gemini-2.5-pro"),  # likewise
    ("google-gemini", "gemini-2.5-flash"),
    ("openrouter", "openai/gpt-4o-mini"),
)


@settings(deadline=None)  # the first one loads the price list
@given(
    model=st.sampled_from(MODELS),
    most=st.tuples(st.integers(1, 1_000_000), st.integers(1, 128_000)),
    parts=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)
def test_the_price_of_the_most_tokens_bounds_that_of_fewer(
    model: tuple[str, str], most: tuple[int, int], parts: tuple[float, float, float, float]
) -> None:
    given_part, answer_part, read_part, written_part = parts
    tokens = round(most[0] * given_part)
    read = round(tokens * read_part)
    used = Usage(tokens, round(most[1] * answer_part), read, round((tokens - read) * written_part))
    bounds = (Usage(*most), Usage(*most, cache_write_tokens=most[0]))

    cost_usd = listed_usd(*model, used)
    known = [bound for usage in bounds if (bound := listed_usd(*model, usage)) is not None]

    assert cost_usd is not None
    assert 0 <= cost_usd <= max(known) + 1e-12


@given(st.text(), st.integers(1, 5))
def test_a_prompt_has_no_more_tokens_than_bytes(text: str, messages: int) -> None:
    request = ModelRequest((Message("user", text),) * messages)
    size = len(text.encode("utf-8", "surrogatepass")) * messages

    assert most_input_tokens(request, size) >= size + 16 * messages


@pytest.mark.parametrize(
    ("options", "tokens"),
    [
        ({}, 100),
        ({"n": 50}, 5000),
        ({"generationConfig": {"candidateCount": 3}}, 300),
        ({"thinking": {"budget_tokens": 1000}}, 1100),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": 1000}}}, 1100),
        ({"thinking_budget": -1, "n": 0}, 100),
        ({"reasoning": {"max_tokens": 1000}, "best_of": 2}, 2200),
    ],
)
def test_thoughts_and_copies_make_an_answer_longer(options: dict[str, object], tokens: int) -> None:
    request = ModelRequest((), max_tokens=100, options=options)  # type: ignore[arg-type]

    assert most_output_tokens(request, "m") == tokens


@settings(deadline=None)
@given(
    st.sampled_from(MODELS),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
)
def test_no_believable_counts_end_a_run(
    model: tuple[str, str], given_: int, answer: int, read: int, written: int
) -> None:
    assume(read + written <= given_)

    cost_usd = listed_usd(*model, Usage(given_, answer, read, written))

    assert cost_usd is None or cost_usd >= 0


def pdf(pages: int, *, packed: bool) -> bytes:
    """A file with so many pages, as programs write them: in the open, or in a packed stream of objects."""
    objects = b"<< /Type /Pages /Count 9 >> " + b"<< /Type /Page /Parent 2 0 R >> " * pages
    if not packed:
        return b"%PDF-1.4\n" + objects
    stream = zlib.compress(objects)
    return b"%PDF-1.7\n5 0 obj << /Type /ObjStm /Filter /FlateDecode >>\nstream\r\n" + stream + b"\nendstream"


@pytest.mark.parametrize("packed", [False, True])
def test_pages_are_counted_wherever_they_stand(*, packed: bool) -> None:
    assert most_pages(pdf(3, packed=packed)) == 3


@pytest.mark.parametrize("data", [b"%PDF-1.7 encrypted", b"/ObjStm stream\nnot packed", b""])
def test_a_file_that_shows_no_pages_may_have_many(data: bytes) -> None:
    assert most_pages(data) == 1_000


def test_files_count_by_what_they_show_and_not_by_their_bytes() -> None:
    image = Attachment("a.png", "image/png", bytes(3_000_000))
    document = Attachment("b.pdf", "application/pdf", pdf(2, packed=True))
    request = ModelRequest((Message("user", "Look.", attachments=(image, document)),))
    size = len(OpenAIChat().encode(request, Target("p", "m"), stream=False).body)

    assert 30_000 <= most_input_tokens(request, size, "m") < 32_000
    assert 3 * 1_600 <= likely_input_tokens(request, size) < 6_000
    assert most_input_tokens(request, size, "gpt-4o-mini") >= 3 * 60_000


def test_tools_cost_more_than_their_definitions() -> None:
    request = ModelRequest((Message("user", "Look."),), tools=(ToolOffer("a", "b", {}),))

    assert most_input_tokens(request, 100) >= 1_100
