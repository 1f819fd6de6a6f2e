"""An answer that is cut, or may be, is marked wherever it is shown."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.agents.path import AgentPath
from llm_orc.auth.access import Access, Billing
from llm_orc.cli.chat.view import ChatView
from llm_orc.cli.run.plain_view import PlainView
from llm_orc.cli.run.progress import RunProgress
from llm_orc.cli.shell.output.background_writer import TerminalWriter
from llm_orc.conversations.conversation import Turn
from llm_orc.engine.events import AgentFinished, AgentStarted, ModelChosen, RecordedEvent, RunFinished, RunStarted
from llm_orc.formats.batch import Columns, csv_heading, csv_row, row_value
from llm_orc.formats.conversation import as_json as conversation_json
from llm_orc.formats.conversation import as_text as conversation_text
from llm_orc.formats.json_lines import event_line
from llm_orc.formats.json_result import as_json
from llm_orc.formats.markdown import as_markdown
from llm_orc.formats.text import as_text
from llm_orc.runs.results import RunResult
from llm_orc.runs.state import RunState

ACCESS = Access("pretend", "none", Billing.LOCAL, "no credential needed", "http://127.0.0.1:1")
CUT = AgentOutput("half of", (ModelCall("m", ACCESS, stop_reason="max_tokens"),))
UNKNOWN = AgentOutput("perhaps whole", (ModelCall("m", ACCESS, stop_reason="other", stop_word="wibble"),))
BARE = AgentOutput("perhaps whole", (ModelCall("m", ACCESS, stop_reason="other"),))
ENDINGS = [
    (CUT, "cut at max_tokens"),
    (UNKNOWN, "ended for an unknown reason: wibble"),
    (BARE, "ended without a reason"),
]
each_ending = pytest.mark.parametrize(("output", "words"), ENDINGS, ids=["cut", "unknown", "bare"])


def events_of(output: AgentOutput) -> list[RecordedEvent]:
    return [
        RunStarted(0.0, "run-1", "panel", ("a",), "the task"),
        AgentStarted(0.0, AgentPath("a"), "model"),
        ModelChosen(0.0, AgentPath("a"), "m", ACCESS),
        AgentFinished(1.0, AgentPath("a"), 1.0, output),
        RunFinished(1.0, "completed", 1.0),
    ]


def result_of(output: AgentOutput) -> RunResult:
    state = RunState()
    for event in events_of(output):
        state.apply(event)
    return state.result()


@each_ending
def test_in_each_format_for_people(output: AgentOutput, words: str) -> None:
    result = result_of(output)

    assert f"=== a ({words})\n" in as_text(result)
    assert f"## a ({words})\n" in as_markdown(result)


@each_ending
def test_in_each_view_of_a_run(output: AgentOutput, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    events = events_of(output)
    picture = RunProgress()
    for event in events:
        picture.apply(event)

    assert any(words in line.text for line in picture.lines(120, 10, 1.0))
    plain = PlainView()
    for event in events:
        plain.show(event)
    assert words in capsys.readouterr().err
    asyncio.run(_chat(events))
    assert words in capsys.readouterr().err


async def _chat(events: list[RecordedEvent]) -> None:
    view = ChatView(1, TerminalWriter(lambda: None))
    for event in events:
        view.show(event)
    view.close()


@each_ending
def test_in_each_format_for_programs(output: AgentOutput, words: str) -> None:
    result = result_of(output)
    [call] = output.calls
    found = [
        json.loads(as_json(result))["results"]["a"],
        json.loads(event_line(events_of(output)[3])),
        row_value({}, result, None)["results"]["a"],  # type: ignore[index, call-overload]
    ]

    for one in found:
        assert (one["stop_reason"], one["stop_word"]) == (call.stop_reason, call.stop_word or None)
    columns = Columns((), ("a",))
    assert csv_heading(columns).rstrip().endswith(",notes")
    assert csv_row(columns, {}, result, None).rstrip().endswith(f"a {words}")


@each_ending
def test_in_a_conversation(output: AgentOutput, words: str) -> None:
    turn = Turn(1, "a", "assistant", output.text, "done", 0.0, "run-1", model="m")
    [call] = output.calls
    turn = replace(turn, stop_reason=call.stop_reason, stop_word=call.stop_word)

    assert words in conversation_text("talk", [turn], 0)
    [shown] = json.loads(conversation_json({}, [turn]))["turns"]
    assert (shown["stop_reason"], shown["stop_word"]) == (call.stop_reason, call.stop_word or None)


def test_a_whole_answer_has_no_mark() -> None:
    whole = result_of(AgentOutput("whole", (ModelCall("m", ACCESS),)))

    assert "=== a\n" in as_text(whole)
    assert "## a\n" in as_markdown(whole)
