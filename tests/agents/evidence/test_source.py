"""Whether a quote stands in a text: word for word, whatever typography makes of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.evidence.source import Source

TEXT = "She said: “It\u2019s a co-\noperation,\nnot a merger” \u2013 10⁵ times…\n\tThe ﬁrst\u00a0one."
DIFF = "--- a/x.py\n+++ b/x.py\n@@ -1,3 +1,3 @@\n def f():\n-    return 1\n+    return 2\n     # end\n"


@pytest.mark.parametrize(
    "quote",
    [
        *("She said:", "It's a co- operation", "a cooperation, not a merger", "\"It's a"),
        *(
            "not a merger\u201d - 10⁵ times...",
            "“not a merger”",
            "'not a merger'",
            "The first one",
            "«not a\n merger»",
        ),
    ],
)
def test_typography_and_line_breaks_make_no_difference(quote: str) -> None:
    assert Source(TEXT).has(quote)


@pytest.mark.parametrize(
    "quote",
    [
        *("", " \n", "“…”", "she said:", "It is a cooperation", "105 times", "It's a … merger", "a merger, not a"),
        *("the first one", "cooperation not a merger"),
    ],
)
def test_words_signs_and_their_order_do(quote: str) -> None:
    assert not Source(TEXT).has(quote)


@pytest.mark.parametrize(
    ("quote", "stands"),
    [
        *(("return 2", True), ("+    return 2", True), ("-    return 1\n+    return 2", True)),
        *(("def f():\n    return 2\n    # end", True), ("def f():\n    return 1\n    # end", True)),
        *(("return 1\n    return 2\n", True), ("return 3", False), ("def f(): # end", False)),
    ],
)
def test_a_diff_is_quoted_with_its_marks_or_as_the_text_before_or_after_it(quote: str, stands: bool) -> None:
    assert Source(DIFF).has(quote) is stands


def test_marks_of_a_diff_mean_nothing_in_another_text() -> None:
    assert not Source("+ one\n+ two").has("one two")


def test_texts_in_data_are_quoted_as_they_are_and_as_they_are_written() -> None:
    source = Source(json.dumps({"pages": [{"text": 'He said "no"\nand left.', "number": 7}]}))

    assert source.has('He said "no" and left.')
    assert source.has('"number": 7')
    assert not source.has("and left. 7")


@given(
    st.text(min_size=1),
    st.integers(0, 200),
    st.integers(1, 200),
    st.lists(st.sampled_from(" \n\t\u00a0"), min_size=1, max_size=3),
)
def test_every_piece_of_a_text_stands_in_it_however_its_spaces_are(
    text: str, start: int, length: int, spaces: list[str]
) -> None:
    words = text.split()[start % (len(text.split()) or 1) :][:length]
    quote = "".join(spaces).join(words)

    assert Source(text).has(quote) is any(map(str.isalnum, quote))


@given(st.text("abc \n", min_size=1), st.text("abc", min_size=1))
def test_plain_words_stand_in_a_text_exactly_if_it_contains_them(text: str, quote: str) -> None:
    assert Source(text).has(quote) is (quote in text)
