"""Conversations as a whole: what is kept of each turn, what is told again, and what is on purpose only."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from llm_orc.conversations import claims, turns
from llm_orc.conversations.claims import Claim
from llm_orc.conversations.conversation import CUT_MARK, Conversation, Question, Window
from llm_orc.conversations.store import ConversationStore
from llm_orc.errors import ConversationBusy, ConversationNotFound, InputError
from llm_orc.providers.base import Message, StopReason, Usage
from tests.conversations.conftest import ACCESS, NOW, output, written


def begun(store: ConversationStore, name: str = "taxes") -> Conversation:
    return store.begin(name, "panel", "/panel.yaml", NOW)


def said(
    store: ConversationStore,
    conversation: Conversation,
    run_id: str,
    question: str,
    answer: str | None,
    *,
    agent: str = "analyst",
    partial: str = "",
) -> None:
    """One run's turn; `answer` None: it was cut after `partial`."""
    claim = Claim(conversation.number, run_id)
    assert written(store, claims.try_claim, claim, NOW) is None
    number, _ = written(store, turns.ask, claim, Question(agent, question, f"You are {agent}."), NOW)
    if answer is not None:
        written(store, turns.answer, claim, number, output(answer), NOW + 1)
    written(store, claims.release, claim, {agent: partial}, NOW + 2)


def texts(messages: tuple[Message, ...]) -> list[str]:
    return [m.content for m in messages]


def test_a_turn_has_all_that_is_known_of_it(store: ConversationStore) -> None:
    taxes = begun(store)
    said(store, taxes, "run-1", "How much?", "A lot.")

    question, answer = store.turns(taxes)

    assert (question.role, question.text, question.state) == ("user", "How much?", "done")
    assert (question.system_prompt, question.at, question.run_id) == ("You are analyst.", NOW, "run-1")
    assert (answer.role, answer.text, answer.state, answer.at) == ("assistant", "A lot.", "done", NOW + 1)
    assert (answer.model, answer.access, answer.cost_usd, answer.run_id) == ("model-1", ACCESS, 0.25, "run-1")
    assert answer.usage == output("").usage


def test_tokens_that_nobody_counted_stay_unknown(store: ConversationStore) -> None:
    taxes = begun(store)
    claim = Claim(taxes.number, "run-1")
    assert written(store, claims.try_claim, claim, NOW) is None
    number, _ = written(store, turns.ask, claim, Question("analyst", "How much?", None), NOW)
    uncounted = output("A lot.", None, Usage())
    written(store, turns.answer, claim, number, uncounted, NOW + 1)

    _, answer = store.turns(taxes)
    figures = store.figures(taxes)

    assert (answer.usage, answer.cost_usd) == (Usage(), None)
    assert (figures.input_tokens, figures.output_tokens, figures.cost_usd) == (0, 0, None)


def test_the_history_is_the_same_in_the_next_process(store: ConversationStore, path: Path) -> None:
    taxes = begun(store)
    said(store, taxes, "run-1", "How much?", "A lot.")
    before = store.history(taxes, "analyst")
    store.close()

    again = ConversationStore(path)

    assert again.history(again.find("taxes"), "analyst") == before
    assert [(m.role, m.content, m.system_prompt) for m in before] == [
        ("user", "How much?", "You are analyst."),
        ("assistant", "A lot.", None),
    ]
    again.close()


def test_each_agent_has_its_own_history(store: ConversationStore) -> None:
    taxes = begun(store)
    said(store, taxes, "run-1", "How much?", "A lot.")
    said(store, taxes, "run-2", "Is it legal?", "No.", agent="lawyer")

    assert texts(store.history(taxes, "analyst")) == ["How much?", "A lot."]
    assert texts(store.history(taxes, "lawyer")) == ["Is it legal?", "No."]


def test_an_answer_that_was_cut_is_told_as_far_as_it_came(store: ConversationStore) -> None:
    taxes = begun(store)
    said(store, taxes, "run-1", "How much?", None, partial="A lo")

    assert texts(store.history(taxes, "analyst")) == ["How much?", f"A lo\n\n{CUT_MARK}"]
    assert [(t.text, t.state) for t in store.turns(taxes)] == [("How much?", "done"), ("A lo", "cut")]


def test_a_question_without_any_answer_is_kept_and_told_to_nobody(store: ConversationStore) -> None:
    taxes = begun(store)
    said(store, taxes, "run-1", "How much?", None)

    assert store.history(taxes, "analyst") == ()
    assert [(t.text, t.state) for t in store.turns(taxes)] == [("How much?", "cut"), ("", "cut")]


def test_a_run_that_is_gone_on_with_replaces_its_own_cut_turn(store: ConversationStore) -> None:
    taxes = begun(store)
    said(store, taxes, "run-1", "How much?", None, partial="A lo")
    said(store, taxes, "run-1", "How much?", "A lot.")

    assert [(t.text, t.state) for t in store.turns(taxes)] == [("How much?", "done"), ("A lot.", "done")]


def test_a_run_finds_the_answer_that_it_has_already(store: ConversationStore) -> None:
    taxes = begun(store)
    said(store, taxes, "run-1", "How much?", "A lot.")

    assert written(store, turns.answered, Claim(taxes.number, "run-1"), "analyst") == output("A lot.")
    assert written(store, turns.answered, Claim(taxes.number, "run-2"), "analyst") is None
    assert written(store, turns.answered, Claim(taxes.number, "run-1"), "lawyer") is None


def test_undo_takes_the_whole_last_run_back(store: ConversationStore) -> None:
    taxes = begun(store)
    said(store, taxes, "run-1", "How much?", "A lot.")
    claim = Claim(taxes.number, "run-2")
    written(store, claims.try_claim, claim, NOW)
    for agent in ("analyst", "lawyer"):
        number, _ = written(store, turns.ask, claim, Question(agent, "And now?", None), NOW)
        written(store, turns.answer, claim, number, output("Nothing."), NOW)
    written(store, claims.release, claim, {}, NOW)

    assert {t.agent for t in store.undo(taxes, NOW)} == {"analyst", "lawyer"}

    assert [t.text for t in store.turns(taxes)] == ["How much?", "A lot."]
    assert texts(store.history(taxes, "analyst")) == ["How much?", "A lot."]
    assert [t.text for t in store.undo(taxes, NOW)] == ["How much?", "A lot."]
    assert store.undo(taxes, NOW) == []


def test_a_window_leaves_out_what_is_old_and_deletes_nothing(store: ConversationStore) -> None:
    taxes = begun(store)
    for n in range(4):
        said(store, taxes, f"run-{n}", f"q{n}", f"a{n}")
    claim = Claim(taxes.number, "run-9")
    written(store, turns.shorten, claim, "analyst", Window(2), NOW)

    assert texts(store.history(taxes, "analyst")) == ["q3", "a3"]

    written(store, turns.shorten, claim, "analyst", Window(4, "They spoke."), NOW)

    summary, understood, *rest = store.history(taxes, "analyst")
    assert summary.content.endswith("They spoke.")
    assert (summary.role, understood.role, texts(tuple(rest))) == ("user", "assistant", ["q2", "a2", "q3", "a3"])
    assert len(store.turns(taxes)) == 8


def test_a_fork_goes_its_own_way(store: ConversationStore) -> None:
    taxes = begun(store)
    for n in range(3):
        said(store, taxes, f"run-{n}", f"q{n}", f"a{n}")
    written(store, turns.shorten, Claim(taxes.number, "run-9"), "analyst", Window(2, "They spoke."), NOW)
    other = store.fork(taxes, "other", NOW)
    said(store, other, "run-8", "only there", "yes")

    assert texts(store.history(other, "analyst")) == [*texts(store.history(taxes, "analyst")), "only there", "yes"]
    assert [t.text for t in store.turns(taxes)] == ["q0", "a0", "q1", "a1", "q2", "a2"]
    assert (other.forked_from, other.ensemble) == ("taxes", "panel")
    with pytest.raises(InputError, match="already"):
        store.fork(taxes, "other", NOW)


def test_deleted_is_gone_with_all_that_was_said(store: ConversationStore, path: Path) -> None:
    taxes = begun(store)
    for n in range(50):
        said(store, taxes, f"run-{n}", "a canary in the question " * 20, "A canary in the answer. " * 500)
    store.delete([taxes], NOW)

    with pytest.raises(ConversationNotFound):
        store.find("taxes")
    store.close()
    assert all(b"canary" not in file.read_bytes() for file in path.parent.iterdir())


def test_clearing_begins_anew_under_the_same_name(store: ConversationStore) -> None:
    taxes = begun(store)
    said(store, taxes, "run-1", "How much?", "A lot.")
    said(store, taxes, "run-2", "Legal?", "No.", agent="lawyer")

    assert store.clear(taxes, NOW, agent="analyst") == 2

    assert store.history(taxes, "analyst") == ()
    assert len(store.history(taxes, "lawyer")) == 2


def test_turns_said_elsewhere_can_be_added(store: ConversationStore) -> None:
    taxes = begun(store)
    with pytest.raises(InputError, match="starts with a turn of the user"):
        store.add(taxes, "analyst", "assistant", "A lot.", NOW)
    store.add(taxes, "analyst", "user", "How much?", NOW, system_prompt="You are kind.")
    store.add(taxes, "analyst", "assistant", "A lot.", NOW)

    assert texts(store.history(taxes, "analyst")) == ["How much?", "A lot."]
    assert store.history(taxes, "analyst")[0].system_prompt == "You are kind."


def test_nothing_is_changed_while_a_turn_is_going_on(store: ConversationStore) -> None:
    taxes = begun(store)
    said(store, taxes, "run-1", "How much?", "A lot.")
    claim = Claim(taxes.number, "run-2")
    written(store, claims.try_claim, claim, NOW)

    for change in (
        lambda: store.undo(taxes, NOW),
        lambda: store.clear(taxes, NOW),
        lambda: store.fork(taxes, "other", NOW),
        lambda: store.delete([taxes], NOW),
        lambda: store.add(taxes, "analyst", "user", "x", NOW),
    ):
        with pytest.raises(ConversationBusy, match="`taxes`"):
            change()

    assert [t.text for t in store.turns(taxes)] == ["How much?", "A lot."]


def test_the_last_changed_comes_first(store: ConversationStore) -> None:
    for n, name in enumerate(("one", "two", "three")):
        store.begin(name, "panel" if n else "other", None, NOW + n)
    said(store, store.find("one"), "run-1", "q", "a")
    store.add(store.find("one"), "analyst", "user", "x", NOW + 9)

    assert [c.name for c in store.all()] == ["one", "three", "two"]
    assert store.find("last").name == "one"
    assert [c.name for c in store.all(ensemble="panel", limit=1)] == ["three"]


@pytest.mark.parametrize("name", ["", " x", "a\nb", "x" * 101, "last", "\x1b[31m"])
def test_names_that_no_list_could_show_are_refused(store: ConversationStore, name: str) -> None:
    with pytest.raises(InputError):
        store.begin(name, "panel", None, NOW)


def test_the_file_is_its_owners_alone(store: ConversationStore, path: Path) -> None:
    begun(store)

    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_answer_that_was_cut_is_told_as_cut_and_its_ending_is_kept(store: ConversationStore) -> None:
    conversation = begun(store)
    claim = Claim(conversation.number, "run-1")
    assert written(store, claims.try_claim, claim, NOW) is None
    known: dict[str, tuple[StopReason, str]] = {
        "a": ("max_tokens", ""),
        "b": ("other", "wib ble"),
        "c": ("end_turn", ""),
    }
    for agent, ending in known.items():
        question, _ = written(store, turns.ask, claim, Question(agent, "go on", None), NOW)
        half = output("half", ending=ending)
        written(store, turns.answer, claim, question, half, NOW)
        assert written(store, turns.answered, claim, agent) == half

    told = {agent: store.history(conversation, agent)[-1].content for agent in "abc"}
    assert told == {"a": f"half\n\n{CUT_MARK}", "b": "half", "c": "half"}
    endings = [(t.stop_reason, t.stop_word) for t in store.turns(conversation) if t.role == "assistant"]
    assert endings == [*known.values()]
