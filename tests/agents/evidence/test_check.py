"""Which texts of an answer are quotes, what is said of wrong ones, and what is left without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.evidence.check import EvidenceCheck, without
from llm_orc.agents.evidence.spec import Evidence

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue

TEXTS = {"evidence.findings.quote": "one two three"}


def findings(*quotes: str | None) -> JsonValue:
    return {"findings": [{"n": i, "quote": quote} for i, quote in enumerate(quotes)]}


OF_FINDINGS = Evidence("findings.quote", ("${task}",), "drop")


def test_the_quote_of_each_item_is_looked_up_and_one_that_is_not_there_is_none() -> None:
    checked = EvidenceCheck([OF_FINDINGS], TEXTS).check(findings("one", None, "two  three"))

    assert (checked.quotes, checked.unfounded) == (2, ())


def test_each_wrong_quote_is_told_with_its_place() -> None:
    data = findings("one", "four\x1b[31m", "…")
    checked = EvidenceCheck([OF_FINDINGS], TEXTS).check(data)

    assert checked.complaints == (
        "`findings[1].quote`: “four[31m” does not occur in `${task}`",
        "`findings[2].quote`: there is no quote",
    )
    assert checked.may_drop
    assert without(data, checked.unfounded) == findings("one")


def test_many_wrong_quotes_are_told_in_few_words() -> None:
    checked = EvidenceCheck([OF_FINDINGS], TEXTS).check(findings(*["four"] * 20))

    assert len(checked.complaints) == 9
    assert checked.complaints[-1] == "12 more quotes do not occur in their source"


def test_one_of_several_sources_is_enough() -> None:
    texts = {"evidence.quote.0": "one", "evidence.quote.1": "two"}
    evidence = Evidence("quote", ("${a}", "${b}"))

    assert not EvidenceCheck([evidence], texts).check({"quote": "two"}).unfounded
    wrong = EvidenceCheck([evidence], texts).check({"quote": "one two"})
    assert wrong.complaints == ("`quote`: “one two” does not occur in `${a}` or `${b}`",)
    assert not wrong.may_drop


def test_of_a_list_of_quotes_in_an_item_one_wrong_one_drops_the_item() -> None:
    evidence = Evidence("claims.quotes", ("${task}",), "drop")
    data: JsonValue = {"claims": [{"quotes": ["one", "four"]}, {"quotes": ["two"]}]}
    checked = EvidenceCheck([evidence], {"evidence.claims.quotes": "one two"}).check(data)

    assert (checked.quotes, without(data, checked.unfounded)) == (3, {"claims": [{"quotes": ["two"]}]})


def test_of_a_list_of_quotes_alone_the_wrong_ones_are_dropped() -> None:
    evidence = Evidence("quotes", ("${task}",), "drop")
    data: JsonValue = {"quotes": ["four", "one", "five"]}
    checked = EvidenceCheck([evidence], {"evidence.quotes": "one two"}).check(data)

    assert without(data, checked.unfounded) == {"quotes": ["one"]}


words = st.sampled_from(["one", "two three", "three two", "four", "", "…"])
answers: st.SearchStrategy[JsonValue] = st.recursive(
    words | st.none() | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["findings", "quote", "n"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(answers)
def test_whatever_is_left_of_any_answer_has_only_quotes_that_occur(data: JsonValue) -> None:
    checker = EvidenceCheck([OF_FINDINGS], TEXTS)
    checked = checker.check(data)

    if checked.may_drop:
        left = checker.check(without(data, checked.unfounded))
        assert left.unfounded == ()
        assert left.quotes <= checked.quotes - len(checked.unfounded)
