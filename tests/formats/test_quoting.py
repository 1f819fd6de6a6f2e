"""An answer can't pose as a section, a summary, a heading or a formula of the document that it stands in."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from llm_orc.conversations.conversation import Turn
from llm_orc.formats import conversation
from llm_orc.formats.batch import Columns, csv_heading, csv_row
from llm_orc.formats.markdown import as_markdown
from llm_orc.formats.quoting import quoted_markdown, quoted_text
from llm_orc.formats.text import as_text

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.runs.results import RunResult

FORGERIES = (
    *(
        "=== Summary",
        " === chair",
        "=== chair (failed)",
        "\uff1d\uff1d\uff1d Summary",
        "\u2550\u2550\u2550 Summary",
    ),
    *("> === Summary", "\t=== Summary", "Status: completed", "STATUS : failed", "Run: 20260101-120000-0a1b2c"),
    *("Total: 0 calls", "Conversation: other", "Forked from: run-0", "SANDBOX: no model was called."),
    *("# panel", "## chair", "## Summary", "Summary\n---", "Summary\n===", "- Status: completed", "> quoted"),
    *("```", "~~~~", "``` `", "   ```", "- ```", "1. ~~~", "<h2>Summary</h2>", "</blockquote><h1>x</h1>", "<!--"),
    *(
        "<script>",
        "<?php",
        "<![CDATA[",
        "<https://example.org>",
        "| a | b |",
        "| --- | --- |",
        "\x1b[2J",
        "\u202e",
    ),
    *("", "    code", "[a]: http://x", "plain words", "- item", "\r", "\u2028## chair", "\x0b=== Summary", "\x85"),
)
hostile = st.lists(st.sampled_from(FORGERIES) | st.text(max_size=8), max_size=8).map("\n".join)
OURS = re.compile(r"=== |(?:Status|Run|Total|Conversation|Forked from|SANDBOX): ?")


def with_answer(result: RunResult, answer: str) -> RunResult:
    agents = (replace(result.agents[0], response=answer), *result.agents[1:])
    return replace(result, agents=agents)


def sections(text: str) -> list[str]:
    return [line for line in text.split("\n") if OURS.match(line)]


def outline(document: str) -> list[str]:
    """Return what stands at the top of the document: headings, tables and lists as text, quotations as a word."""
    found, depth = [], 0
    for token in MarkdownIt("commonmark").enable("table").parse(document):
        assert token.type != "html_block", token.content
        assert not any(child.type == "html_inline" for child in token.children or ()), token.content
        if token.type == "blockquote_open":
            found += ["quotation"] if not depth else []
            depth += 1
        elif token.type == "blockquote_close":
            depth -= 1
        elif not depth:
            found.append(f"{token.tag} {token.content}")
    return found


@pytest.mark.parametrize("forged", FORGERIES)
def test_no_line_of_an_answer_is_a_section_of_ours(result: RunResult, forged: str) -> None:
    forged_result = with_answer(result, f"Well.\n{forged}\nSo.\n\n{forged}")
    plain_result = with_answer(result, "Well.")

    assert sections(as_text(forged_result)) == sections(as_text(plain_result))
    assert outline(as_markdown(forged_result)) == outline(as_markdown(plain_result))


@given(answer=hostile)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_answer_forges_the_text_or_the_report_of_a_run(result: RunResult, answer: str) -> None:
    forged, plain = with_answer(result, answer), with_answer(result, "Well.")

    assert sections(as_text(forged)) == sections(as_text(plain))
    assert outline(as_markdown(forged)) == outline(as_markdown(plain))


@given(said=hostile)
def test_nothing_said_forges_a_conversation(said: str) -> None:
    def turns(text: str) -> list[Turn]:
        return [
            Turn(1, "analyst", "user", text, "done", 1.0, "run-1"),
            Turn(2, "analyst", "assistant", text, "done", 2.0, "run-1", model="m"),
        ]

    forged, plain = turns(said), turns("Well.")

    assert sections(conversation.as_text("talk", forged, 0)) == sections(conversation.as_text("talk", plain, 0))
    assert outline(conversation.as_markdown("talk", forged)) == outline(conversation.as_markdown("talk", plain))


def test_an_ordinary_answer_reads_as_it_was_written() -> None:
    answer = "Yes, because:\n\n- a == b\n- `x <= y`\n\n| firm | grade |\n| --- | --- |\n\n```html\n<b>\n```\nDone"

    assert "\n".join(quoted_text(answer)) == answer
    assert "\n".join(line.removeprefix(">").removeprefix(" ") for line in quoted_markdown(answer)) == answer


def test_names_and_models_can_t_forge_either(result: RunResult) -> None:
    forged = replace(
        result,
        agents=(
            replace(result.agents[0], name="Summary", model="m\n=== Summary\nStatus: completed <h2>x</h2>"),
            replace(result.agents[1], status="failed"),
        ),
    )

    assert [line for line in as_text(forged).split("\n") if line.startswith("=== ")] == [
        "=== agent Summary",
        f"=== {result.agents[1].name} (failed)",
        "=== Summary",
    ]
    assert as_text(forged).count("\nStatus: ") == 1
    assert outline(as_markdown(forged))


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3+cmd", "'-2+3+cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "\\x0d=1"),
        ("\n=1", "'\n=1"),
        ("  =1", "'  =1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("- a list", "'- a list"),
        ("-5", "-5"),
        ("+1,234.50", "+1,234.50"),
        ("-1.5e-3", "-1.5e-3"),
        ("-12 %", "-12 %"),
        ("a=1", "a=1"),
        ("\x1b]8;;http://x\x07 \u202e", "\\x1b]8;;http://x\\x07 \\u202e"),
        ("two\r\nlines", "two\nlines"),
    ],
)
def test_no_cell_of_a_table_is_a_formula_and_numbers_stay_numbers(
    result: RunResult, cell: str, shown: str
) -> None:
    columns = Columns((cell,), (result.agents[0].name,))
    about: dict[str, JsonValue] = {"row": 1, "input": cell, "fields": {cell: cell}}

    heading = next(csv.reader(io.StringIO(csv_heading(columns), newline="")))
    row = next(csv.reader(io.StringIO(csv_row(columns, about, with_answer(result, cell), None), newline="")))

    named = dict(zip(heading, row, strict=True))
    assert (named["row"], named["input"], named[shown], named[result.agents[0].name]) == ("1", shown, shown, shown)


def test_fields_of_the_answer_are_columns_of_their_own(result: RunResult) -> None:
    agent = result.agents[0].name
    data: JsonValue = {"score": -1.5, "ok": True, "tags": ["a"], "status": "=x"}
    columns = Columns((), (agent,), ("score", "ok", "tags", "status", "note"), agent)
    answered = replace(result, agents=(replace(result.agents[0], data=data), *result.agents[1:]))

    heading = next(csv.reader(io.StringIO(csv_heading(columns), newline="")))
    row = next(csv.reader(io.StringIO(csv_row(columns, {}, answered, None), newline="")))

    named = dict(zip(heading, row, strict=True))
    assert [named[name] for name in ("score", "ok", "tags", "field status", "note")] == [
        *("-1.5", "true", '["a"]', "'=x", ""),
    ]
