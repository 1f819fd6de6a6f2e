"""What an agent that asks a person may say in a file, and what is wrong before anybody is asked."""

from __future__ import annotations

import pytest

from llm_orc.agents.approval.work import ApprovalWork
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import EnsembleInvalid
from llm_orc.settings.duration import parse_duration

FILE = """\
name: e
agents:
  - {name: draft}
  - {name: ok, approval: {APPROVAL}}
  - {name: publish, depends_on: [ok]{MORE}}
"""


def approval(written: str, more: str = "") -> ApprovalWork:
    text = FILE.replace("{APPROVAL}", written).replace("{MORE}", f", {more}" if more else "")
    work = parse_ensemble_text(text).ensemble.agent("ok").work
    assert isinstance(work, ApprovalWork)
    return work


def problems(written: str, more: str = "") -> list[tuple[str, int, str | None]]:
    with pytest.raises(EnsembleInvalid) as raised:
        approval(written, more)
    return [(one.message, one.line, one.hint) for one in raised.value.problems]


def test_a_message_alone_asks_to_approve_or_reject() -> None:
    assert approval("'Publish?'") == approval("{message: 'Publish?'}")
    assert approval("'Publish?'") == ApprovalWork("Publish?", ("approve", "reject"))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90", 90), ("90s", 90), ("30m", 1800), ("1.5h", 5400), ("3d", 259_200), ("2 w", 1_209_600)],
)
def test_a_duration_is_read_in_its_unit(written: str, seconds: float) -> None:
    assert parse_duration(written) == seconds
    asked = approval(f"{{message: m, choices: [go, stop], within: {written}, otherwise: stop}}")
    assert asked == ApprovalWork("m", ("go", "stop"), seconds, "stop")


def test_text_is_asked_for_without_choices() -> None:
    assert approval("{message: Title?, ask: text, within: 1h, otherwise: Untitled}") == ApprovalWork(
        "Title?", (), 3600.0, "Untitled", "text"
    )


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{}", "the approval of agent `ok` has no `message`"),
        ("{message: ' '}", "`message` must be text that is not empty"),
        ("{message: m, choises: [a, b]}", "the approval of agent `ok` has no key `choises`"),
        ("{message: m, choices: [a]}", "`choices` must be a list of at least two choices"),
        ("{message: m, choices: [a, A]}", "`choices` must be a list of different choices"),
        ("{message: m, choices: [a, true]}", "`choices` must be a list of texts; one is true or false"),
        ("{message: m, within: soon}", "`within` must be a duration, such as `90s`, `30m`, `2h` or `3d`"),
        ("{message: m, within: 0}", "`within` must be longer than 0 and at most 10 years"),
        ("{message: m, within: 1h, otherwise: no}", "`otherwise` of agent `ok` must be one of its choices"),
        ("{message: m, otherwise: reject}", "agent `ok` has `otherwise`, but waits as long as it takes"),
        ("{message: m, ask: text, choices: [a, b]}", "agent `ok` asks for text, so it has no `choices`"),
        ("{message: '${nobody}'}", "agent `ok`: `${nobody}` names no agent, and nothing else known here"),
    ],
)
def test_what_is_wrong_has_its_place(written: str, message: str) -> None:
    assert [(said, line) for said, line, _ in problems(written)] == [(message, 4)]


def test_choices_that_are_wrong_are_still_those_that_conditions_compare() -> None:
    found = problems(
        "{message: m, choices: [late, Late], within: 1h, otherwise: late}", "when: \"${ok} == 'late'\""
    )

    assert [message for message, _, _ in found] == ["`choices` must be a list of different choices"]


def test_the_time_of_one_process_is_no_limit_for_a_person() -> None:
    ((message, _, hint),) = problems("m, timeout_seconds: 5")

    assert message.startswith("agent `ok` asks a person, and `timeout_seconds`")
    assert hint is not None
    assert "within" in hint


@pytest.mark.parametrize(
    "condition",
    [
        "${ok.choice} == 'approve'",
        "${ok} == 'approve'",
        "${ok.choice} in ['approve', 'reject']",
        "size(${ok.text}) > 0",
        "${ok.by} != 'otherwise'",
    ],
)
def test_a_condition_may_compare_the_answer(condition: str) -> None:
    approval("m", f'when: "{condition}"')


@pytest.mark.parametrize(
    ("condition", "message", "hint"),
    [
        ("${ok.choice} == 'aprove'", "`ok.choice` is never `aprove`", "Did you mean `approve`?"),
        ("${ok} == 'yes'", "`ok` is never `yes`", "It is one of: `approve`, `reject`."),
        ("${ok.choice} in ['approve', 'yes']", "`ok.choice` is never `yes`", None),
        ("${ok.choice} == 1", "this compares text with a number, which are never equal", None),
        ("${ok.chioce} == 'approve'", "the answer of `ok` has no field `chioce`", "Did you mean `choice`?"),
        (
            "${ok}",
            "`ok` is always set, so this is true whatever the answer is",
            "Compare it: `${ok} == 'approve'`.",
        ),
        ("${ok.choice}", "`ok.choice` is always set, so this is true whatever the answer is", None),
    ],
)
def test_a_condition_that_the_answer_can_never_decide_is_a_problem(
    condition: str, message: str, hint: str | None
) -> None:
    ((found, line, way_out),) = problems("m", f'when: "{condition}"')

    assert (found, line) == (f"agent `publish`: {message}", 5)
    assert hint is None or way_out == hint
