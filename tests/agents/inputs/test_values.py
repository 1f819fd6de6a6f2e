"""Values of declared inputs: text and JSON become the declared type, or an error that says what is needed."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.inputs.spec import InputSpec, InputType
from llm_orc.agents.inputs.values import as_text, complete_inputs
from llm_orc.errors import InputError
from llm_orc.jsontypes import JsonValue

LANGUAGE = InputSpec("language", enum=("English", "Deutsch"), default="English", is_required=False)
COUNT = InputSpec("count", "integer")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
finite = st.floats(allow_nan=False, allow_infinity=False)
OF_TYPE: dict[InputType, st.SearchStrategy[JsonValue]] = {
    "string": texts,
    "integer": st.integers(-(10**20), 10**20),
    "number": st.one_of(finite, st.integers(-(10**20), 10**20)),
    "boolean": st.booleans(),
    "array": st.lists(st.one_of(texts, finite, st.booleans(), st.none()), max_size=3),
    "object": st.dictionaries(texts, st.one_of(texts, st.integers()), max_size=3),
}
typed = st.sampled_from([*OF_TYPE]).flatmap(lambda kind: st.tuples(st.just(kind), OF_TYPE[kind]))


@given(typed)
def test_a_value_of_the_type_is_taken_as_it_is_and_as_its_text(of: tuple[InputType, JsonValue]) -> None:
    kind, value = of
    specs = [InputSpec("x", kind)]

    assert complete_inputs("e", specs, {"x": value}) == {"x": value}
    assert complete_inputs("e", specs, {"x": as_text(value)}, texts=True) == {"x": value}


@given(typed, st.sampled_from([*OF_TYPE]))
def test_a_value_of_another_type_is_refused(of: tuple[InputType, JsonValue], wanted: InputType) -> None:
    kind, value = of
    is_number = wanted == "number" and kind == "integer"
    is_whole = wanted == "integer" and isinstance(value, float) and value.is_integer()
    if (
        wanted == kind
        or is_number
        or is_whole
        or (wanted == "integer" and isinstance(value, int) and kind == "number")
    ):
        return

    with pytest.raises(InputError, match=r"input `x` must be "):
        complete_inputs("e", [InputSpec("x", wanted)], {"x": value})


@given(texts)
def test_any_text_is_a_value_of_the_type_or_an_error(text: str) -> None:
    for kind in OF_TYPE:
        try:
            values = complete_inputs("e", [InputSpec("x", kind)], {"x": text}, texts=True)
        except InputError:
            continue
        assert complete_inputs("e", [InputSpec("x", kind)], values) == values
        json.dumps(values, allow_nan=False)


@pytest.mark.parametrize("value", [math.nan, math.inf, "1e999", "NaN", True, "0x10", "1_000", ""])
def test_what_is_no_finite_number_is_no_number(value: JsonValue) -> None:
    with pytest.raises(InputError):
        complete_inputs("e", [InputSpec("x", "number")], {"x": value}, texts=True)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    specs = [LANGUAGE, COUNT, InputSpec("base")]

    with pytest.raises(InputError) as caught:
        complete_inputs("e", specs, {"langauge": "x", "language": "Deutsh", "count": "many"}, texts=True)

    assert caught.value.message == (
        "ensemble `e` has no input `langauge`; input `language` must be one of `English`, `Deutsch`, not `Deutsh`"
        " (Did you mean `Deutsch`?); input `count` must be a whole number, not `many`; ensemble `e` needs the input"
        " `base`"
    )
    assert caught.value.hint == "Did you mean `language`?"


def test_what_is_missing_is_named_with_the_options_that_give_it() -> None:
    with pytest.raises(InputError) as caught:
        complete_inputs("e", [LANGUAGE, COUNT, InputSpec("on", "boolean")], {})

    assert caught.value.message == "ensemble `e` needs the inputs `count` and `on`"
    assert caught.value.hint == "Give them with `--set count=NUMBER --set on=true|false`."


def test_a_default_stands_in_for_a_value_that_is_not_given() -> None:
    assert complete_inputs("e", [LANGUAGE], {}) == {"language": "English"}


def test_an_ensemble_without_inputs_says_so() -> None:
    with pytest.raises(InputError) as caught:
        complete_inputs("e", [], {"x": 1})

    assert caught.value.hint == "It declares no `inputs`; the task is `--input TEXT`."


def test_true_is_not_the_number_one() -> None:
    with pytest.raises(InputError):
        complete_inputs("e", [InputSpec("x", "number", enum=(1,))], {"x": True})
