"""How a condition is read: as CEL reads it, or refused at its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.conditions.parse import parse_condition
from llm_orc.agents.conditions.syntax import (
    BadCondition,
    Both,
    Compare,
    Condition,
    Constant,
    Either,
    Has,
    IsSet,
    ListOf,
    Node,
    Not,
    Size,
    Value,
)
from llm_orc.jsontypes import JsonValue


def shown(node: Node) -> str:  # noqa: C901 - a case for each part
    """Return the condition with all its parentheses."""
    match node:
        case Constant(value=value):
            return repr(value)
        case Value(reference=reference):
            return str(reference)
        case IsSet(reference=reference):
            return f"set({reference})"
        case Has(reference=reference):
            return f"has({reference})"
        case Size(of=of):
            return f"size({shown(of)})"
        case Not(of=of):
            return f"!{shown(of)}"
        case ListOf(items=items):
            return f"[{', '.join(map(shown, items))}]"
        case Both(left=left, right=right):
            return f"({shown(left)} && {shown(right)})"
        case Either(left=left, right=right):
            return f"({shown(left)} || {shown(right)})"
        case Compare(operator=operator, left=left, right=right):
            return f"({shown(left)} {operator} {shown(right)})"
        case _:
            raise AssertionError(node)


def root(text: str) -> Node:
    condition: Condition = parse_condition(text)
    return condition.root


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("${a.x} == 1", "(${a.x} == 1)"),
        ("${ a.x }>=-1.5", "(${a.x} >= -1.5)"),
        ("!${a.x} || ${b.y} && ${c.z}", "(!${a.x} || (${b.y} && ${c.z}))"),
        ("(${a.x} || ${b.y}) && ${c.z}", "((${a.x} || ${b.y}) && ${c.z})"),
        ("!(${a.x} < 1)", "!(${a.x} < 1)"),
        ("!${a.x} == true", "(!${a.x} == True)"),
        ("!!${a.x}", "!!${a.x}"),
        ("${a.x} in ['p', \"q\", 1, null]", "(${a.x} in ['p', 'q', 1, None])"),
        ("'k' in ${a}", "('k' in ${a})"),
        ("size(${a.x}) > 2 && has(${a.y.0})", "((size(${a.x}) > 2) && has(${a.y.0}))"),
        (r"${a.x} == 'it\'s \u00e9\n'", r"""(${a.x} == "it's é\n")"""),
        ("${a.x} == 1e3", "(${a.x} == 1000.0)"),
        ("\n  ${a.x}\n    != null\n", "(${a.x} != None)"),
        ("${a.x} == []", "(${a.x} == [])"),
        ("true || ${a.x} == false", "(True || (${a.x} == False))"),
        ("${a.size} == 1", "(${a.size} == 1)"),
    ],
)
def test_what_is_written_is_read_as_in_cel(text: str, meaning: str) -> None:
    assert shown(root(text)) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("${a.f}", "set(${a.f})"),
        (" ${a.f.g} ", "set(${a.f.g})"),
        ("${a.f} == yes", "(${a.f} == 'yes')"),
        ("${a.f} == needs-review", "(${a.f} == 'needs-review')"),
        ("${a.f} == needs review", "(${a.f} == 'needs review')"),
        ("${a.f} == 'yes'", "(${a.f} == 'yes')"),
        ("${a.f} == true", "(${a.f} == True)"),
        ("${a.f} == 3", "(${a.f} == 3)"),
    ],
)
def test_the_two_forms_of_earlier_releases_mean_what_they_meant(text: str, meaning: str) -> None:
    assert shown(root(text)) == meaning


@pytest.mark.parametrize(
    ("text", "message", "start", "hint"),
    [
        ("", "the condition is empty", 0, None),
        ("${a.x} = 1", "`=` can't stand in a condition", 7, "Equality is written `==`."),
        ("${a.x} and ${b.y}", "`and` is no operator", 7, "Write `&&`."),
        ("not ${a.x}", "`not` is no operator", 0, "Write `!`."),
        ("${a.x} & ${b.y}", "`&` can't stand in a condition", 7, "Both is written `&&`."),
        ("${a.x} != yes", "`yes` is not known in a condition", 10, "A text stands in quotes."),
        ("${a.x} == yes && ${b}", "`yes` is not known in a condition", 10, "A text stands in quotes."),
        ("a.x == 1", "`.` can't stand in a condition", 1, "A reference is written `${NAME.field}`."),
        ("${a.x} == True", "`True` is not known in a condition", 10, "Did you mean `true`?"),
        ("${a.x} + 1 > 2", "`+` can't stand in a condition", 7, None),
        ("${a.x} - 1 > 2", "nothing is computed in a condition", 7, None),
        ("-${a.x} > 2", "nothing is computed in a condition", 0, None),
        ("1 < ${a.x} < 3", "a comparison compares two values", 11, "Join two with `&&`, or add parentheses."),
        ("(${a.x} == 1", "`)` is missing after what is in parentheses", 12, None),
        ("${a.x} ==", "the condition ends too early", 9, None),
        ("${a.x} == 1)", "`)` is not expected here", 11, None),
        ("[1 2]", "`,` is missing between the items of a list", 3, None),
        ("size(${a.x} > 1", "`)` is missing after `size(`", 15, None),
        ("has(1)", "`has` asks for a reference", 4, "As in `has(${NAME.field})`."),
        ("sise(${a.x}) > 1", "`sise` is not known in a condition", 0, "Did you mean `size`?"),
        ("${a.x} == 'open", "`'` can't stand in a condition", 10, "A quote is not closed."),
        (r"${a.x} == '\d'", r"`\d` is no escape", 11, r"A backslash is written `\\`."),
        ("${a.x} == 99999999999999999999", "`99999999999999999999` is too large for a whole number", 10, None),
        ("${} == 1", "`${}` names nothing", 0, None),
        ("$x == 1", "`$` can't stand in a condition", 0, "A reference is written `${NAME.field}`."),
        ("(" * 60 + "1" + ")" * 60, "the condition is nested too deeply", 51, None),
    ],
)
def test_what_is_no_condition_is_refused_at_its_place(
    text: str, message: str, start: int, hint: str | None
) -> None:
    with pytest.raises(BadCondition) as caught:
        parse_condition(text)

    assert (caught.value.message, caught.value.start) == (message, start)
    if hint is not None:
        assert caught.value.hint == hint


@given(st.text(st.sampled_from("${}ab.01 '\"=!<>&|()[],-in\\"), max_size=25))
def test_any_text_is_read_or_refused(text: str) -> None:
    refused: BadCondition | None = None
    try:
        parse_condition(text)
    except BadCondition as e:
        refused = e

    assert refused is None or 0 <= refused.start <= refused.end <= max(len(text), refused.end)


_values: st.SearchStrategy[JsonValue] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8),
)


@given(_values)
def test_a_constant_is_the_value_that_is_written(value: JsonValue) -> None:
    written = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        written = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

    node = root(f"${{a.x}} != {written}")

    assert isinstance(node, Compare)
    assert isinstance(node.right, Constant)
    assert node.right.value == value
    assert type(node.right.value) is type(value)


@pytest.mark.parametrize("operator", ["&&", "||"])
def test_a_long_chain_is_bounded_at_its_place(operator: str) -> None:
    part = "${a}!=1"
    longest = operator.join([part] * 101)

    assert len(parse_condition(longest).references) == 101
    with pytest.raises(BadCondition, match=r"more than 100 `&&` and `\|\|`") as refused:
        parse_condition(f"{longest}{operator}{part}")
    assert refused.value.start == len(longest)
