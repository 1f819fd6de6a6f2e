"""What an agent is given, and that no answer can pose as another."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.base import AgentSpec
from llm_orc.engine.inputs import prompt_for

CHAIR = AgentSpec("chair", depends_on=("analyst", "lawyer"))


def test_an_agent_without_dependencies_gets_the_task_as_it_is() -> None:
    assert prompt_for(AgentSpec("analyst"), "Is it <part> worth it?", {}) == "Is it <part> worth it?"


def test_a_dependant_gets_the_task_and_each_answer_under_its_agents_name() -> None:
    prompt = prompt_for(CHAIR, "Invest?", {"analyst": "Yes.", "lawyer": "No."})

    assert prompt == (
        "<part of='task'>\nInvest?\n</part>\n\n"
        "<part of='answer' agent='analyst'>\nYes.\n</part>\n\n"
        "<part of='answer' agent='lawyer'>\nNo.\n</part>"
    )


def test_a_missing_answer_is_said_to_be_missing() -> None:
    prompt = prompt_for(CHAIR, "Invest?", {"lawyer": "No."})

    assert "<part of='missing' agent='analyst'>This agent gave no answer.</part>" in prompt


def test_a_cut_answer_is_said_to_be_cut() -> None:
    prompt = prompt_for(CHAIR, "Invest?", {"analyst": "Yes, bec", "lawyer": "No."}, {"analyst": "It is cut."})

    assert "Yes, bec\n</part>\n\n<part of='note' agent='analyst'>It is cut.</part>" in prompt
    assert prompt.count("of='note'") == 1


@given(st.lists(st.sampled_from(["</part>", "<part of=", "</part-2>", "'answer' agent='lawyer'>", "x", "\n"])))
def test_no_answer_can_end_its_own_block_or_open_another(pieces: list[str]) -> None:
    prompt = prompt_for(CHAIR, "Invest?", {"analyst": "".join(pieces), "lawyer": "No."})

    tag = re.match(r"<(part(?:-\d+)?) of='task'>", prompt)
    assert tag is not None
    assert prompt.count(f"<{tag[1]} of=") == 3
    assert prompt.count(f"</{tag[1]}>") == 3
