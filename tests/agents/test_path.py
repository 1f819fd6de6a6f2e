"""Paths of agents: text that takes apart into the steps that it was made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.path import child_of, is_top, is_within, item_of, parse_path, path_of, steps_of

_names = st.text(st.characters(codec="utf-8", exclude_characters="/[]"), min_size=1)
_steps = st.tuples(_names, st.lists(st.integers(0, 99), max_size=2)).map(
    lambda step: step[0] + "".join(f"[{number}]" for number in step[1])
)


@given(st.lists(_steps, min_size=1, max_size=4))
def test_a_path_is_the_steps_that_it_was_made_of(steps: list[str]) -> None:
    path = path_of(*steps)

    assert steps_of(path) == tuple(steps)
    assert parse_path(str(path)) == path
    assert is_top(path) == (len(steps) == 1 and "[" not in steps[0])


@given(st.lists(_steps, min_size=1, max_size=3), _names, st.integers(0, 99))
def test_what_runs_within_an_agent_is_within_it(steps: list[str], name: str, number: int) -> None:
    path = path_of(*steps)

    for inner in (child_of(path, name), item_of(path, number), child_of(item_of(path, number), name)):
        assert is_within(inner, path)
        assert not is_top(inner)
        assert not is_within(path, inner)
    assert not is_within(path, path)
    assert not is_within(path_of(*steps[:-1], f"{steps[-1]}2"), path)


def test_a_path_is_written_like_this() -> None:
    assert child_of(item_of(child_of(path_of("panel"), "review"), 3), "judge") == "panel/review[3]/judge"


@pytest.mark.parametrize("text", ["", "/", "a/", "/a", "a//b", "a[", "a[x]", "[1]", "a[1]b", "a]"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not the path of an agent"):
        parse_path(text)
