"""What a text with references is made of: nothing but `${…}` and `$${` is special."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.references.syntax import BadReference, Reference, is_special, literal, parse_template

words = st.text(st.sampled_from("ab-_9 é"), min_size=1, max_size=5).filter(str.strip)
names = st.lists(words, min_size=1, max_size=3).map(".".join).filter(lambda name: name == name.strip())
plain = st.text(st.sampled_from("ab{}$ %\n"), max_size=6).filter(
    lambda text: "${" not in text and text[-1:] != "$"
)


@given(st.lists(st.tuples(plain, names), max_size=4), plain)
def test_a_text_is_its_pieces_and_the_references_between_them(pairs: list[tuple[str, str]], end: str) -> None:
    text = "".join(f"{before}${{{name}}}" for before, name in pairs) + end

    template = parse_template(text)

    assert [reference.name for reference in template.references] == [name for _, name in pairs]
    assert "".join(map(str, template.pieces)) == text
    for reference in template.references:
        assert text[reference.start : reference.end] == f"${{{reference.name}}}"


@given(st.text(st.sampled_from("ab${}. \n"), max_size=30))
def test_whatever_is_made_literal_is_filled_in_to_itself(text: str) -> None:
    template = parse_template(literal(text))

    assert "".join(map(str, template.pieces)) == text
    assert template.references == ()
    assert is_special(literal(text)) == ("${" in text)


@given(st.text(st.sampled_from("ab${}. [0]\n"), max_size=30))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    refused: BadReference | None = None
    try:
        parse_template(text)
    except BadReference as e:
        refused = e

    if refused is not None:
        assert text[refused.start : refused.start + 2] == "${"
        assert refused.start < refused.end <= len(text)


@pytest.mark.parametrize(
    "text", ["$HOME", "{{ x }}", "{x}", "%s", "$(pwd)", "$$", "$$x", "{", "$", "a $ {b}", "#{x}", "{%x%}"]
)
def test_nothing_else_is_special(text: str) -> None:
    assert parse_template(text).pieces == (text,)


def test_spaces_within_the_braces_are_no_part_of_the_name() -> None:
    assert parse_template("${ task }").pieces == (Reference("task", 0, 9),)


@pytest.mark.parametrize(
    ("text", "message", "start"),
    [
        ("a ${", "`${` begins a reference that is never closed", 2),
        ("a ${b\n}", "`${` begins a reference that is never closed", 2),
        ("a ${b ${c}", "`${` begins a reference that is never closed", 2),
        ("${" + "x" * 500 + "}", "`${` begins a reference that is never closed", 0),
        ("a ${}", "`${}` names nothing", 2),
        ("a ${ }", "`${}` names nothing", 2),
        ("${a..b}", "`${a..b}` has an empty word between its dots", 0),
        ("${.a}", "`${.a}` has an empty word between its dots", 0),
        ("${a[0]}", "`${a[0]}` has brackets", 0),
    ],
)
def test_a_reference_that_is_none_is_refused_at_its_place(text: str, message: str, start: int) -> None:
    with pytest.raises(BadReference) as caught:
        parse_template(text)

    assert (caught.value.message, caught.value.start) == (message, start)
    assert "`$${`" in caught.value.hint
