"""What a person sees of a run in a terminal: the answer as it arrives, rendered, and a line for each other agent."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llm_orc.cli.run.answer_output import is_data
from tests.cli.conftest import Shell
from tests.cli.screen import Screen
from tests.cli.screens import assert_screen
from tests.cli.terminal import Terminal
from written_answers import Written, serve_answers

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")

HERE = Path(__file__).parent
VERDICT = (HERE.parent / "shell" / "markdown" / "verdict.md").read_text(encoding="utf-8")
PANEL = """\
name: panel
default_task: Worth it?
agents:
  - {name: analyst, model_profile: default, system_prompt: I am analyst}
  - {name: lawyer, model_profile: default, system_prompt: I am lawyer}
  - {name: chair, model_profile: default, system_prompt: I am chair, depends_on: [analyst, lawyer], requires: any}
"""
PAUSE_S = 0.002


@contextmanager
def panel(shell: Shell, *, lawyer_answers: bool = True, verdict: str = VERDICT) -> Iterator[Shell]:
    answers = [
        Written("The market is *large*.", role="I am analyst"),
        Written(verdict, role="I am chair"),
        *([Written("No **risk**. " * 20, role="I am lawyer")] if lawyer_answers else []),
    ]
    shell.ensemble("panel", PANEL)
    with serve_answers(answers, PAUSE_S) as url:
        shell.talks_to(url)
        yield shell


def on_screen(terminal: Terminal, columns: int) -> str:
    """Return what stands there at the end, with invented times and run ids."""
    seen = re.sub(r"\b\d\.\d s\b", "0.3 s", terminal.to_the_end())
    seen = re.sub(r"\d{8}-\d{6}-[0-9a-f]{6}", "20261103-093000-a1b2c3", seen)
    return Screen(columns).feed(re.sub(r"(?<=runs show )[0-9a-f]{6}\b", "a1b2c3", seen))


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_run_in_a_terminal(bare: Shell, columns: int) -> None:
    with panel(bare) as shell:
        terminal = Terminal(shell, "invoke", "panel", columns=columns)
        shown = on_screen(terminal, columns)

    assert terminal.process.exitstatus == 0
    assert_screen(HERE / "screens" / f"panel-{columns}.txt", shown)


@pytest.mark.parametrize("columns", [40, 80])
def test_an_agent_that_failed_says_why(bare: Shell, columns: int) -> None:
    with panel(bare, lawyer_answers=False, verdict="**No.**") as shell:
        terminal = Terminal(shell, "invoke", "panel", columns=columns)
        shown = on_screen(terminal, columns)

    assert terminal.process.exitstatus == 1
    assert_screen(HERE / "screens" / f"failed-{columns}.txt", shown)


def test_an_answer_that_is_missing_is_explained_once(bare: Shell) -> None:
    with panel(bare, lawyer_answers=False) as shell:
        terminal = Terminal(shell, "invoke", "panel", "--agent", "lawyer", columns=120)
        shown = on_screen(terminal, 120)

    assert terminal.process.exitstatus == 1
    assert shown.replace("\n", "").count("no answer is written for") == 1
    assert "error: there is no answer from `lawyer`: `openai-compatible` (model `canned-1`) rejected" in shown
    assert "\nhint: " in shown


def test_an_answer_that_is_not_last_stands_above_those_that_still_work(bare: Shell) -> None:
    with panel(bare) as shell:
        terminal = Terminal(shell, "invoke", "panel", "--agent", "analyst")
        terminal.process.expect("large")
        terminal.process.expect("lawyer")
        shown = on_screen(terminal, 80)

    assert "The market is large.\n\n✓ lawyer" in shown


def test_quiet_shows_the_answer_and_nothing_else(bare: Shell) -> None:
    with panel(bare) as shell:
        shown = on_screen(Terminal(shell, "invoke", "panel", "--quiet", "--agent", "analyst"), 80)

    assert shown == "The market is large.\n"


def test_raw_is_what_the_model_wrote(bare: Shell) -> None:
    with panel(bare) as shell:
        shown = on_screen(Terminal(shell, "invoke", "panel", "--quiet", "--agent", "analyst", "--raw"), 80)

    assert shown == "The market is *large*.\n"


def test_an_earlier_answer_is_rendered_through_a_pager(bare: Shell) -> None:
    with panel(bare) as shell:
        shell.run("invoke", "panel")
        shell.environ["LLM_ORC_PAGER"] = "sed 's/^/page: /'"
        paged = on_screen(Terminal(shell, "runs", "show", "last", "--agent", "analyst"), 80)
        plain = on_screen(Terminal(shell, "runs", "show", "last", "--agent", "analyst", "--no-pager"), 80)
        shell.environ["LLM_ORC_PAGER"] = "no-such-pager"
        without = on_screen(Terminal(shell, "runs", "show", "last", "--agent", "analyst"), 80)
        piped = shell.run("runs", "show", "last", "--agent", "analyst").stdout

    assert paged == "page: The market is large.\n"
    assert plain == without == "The market is large.\n"
    assert piped == "The market is *large*.\n"


@pytest.mark.parametrize(
    ("text", "from_where"),
    [
        *((' {"a": 1}', 2), ('[{"a": 1}]', 2), ('[\n  "a"]', 5), ("[[1, 2]]", 3), ("[1, 2]", 3), ("[true, 1]", 6)),
        *(("[]", 2), ("[-1.5e3,1]", 8), ("[null,1]", 6)),
    ],
)
def test_json_is_told_from_its_beginning(text: str, from_where: int) -> None:
    decided = [is_data(text[:end]) for end in range(1, len(text) + 1)]

    assert decided == [None] * (from_where - 1) + [True] * (len(text) - from_where + 1)


@pytest.mark.parametrize(
    "text", ["Words", "[a link](x)", "[1] Smith", "[1]: x", "[the](x)", "[false friends](x)", "[^1]", "- x"]
)
def test_markdown_is_told_from_json(text: str) -> None:
    decided = [is_data(text[:end]) for end in range(1, len(text) + 1)]

    assert True not in decided
    assert decided[-1] is False


@pytest.mark.parametrize("options", [(), ("--quiet",)], ids=["live", "quiet"])
def test_an_answer_that_is_data_is_indented_and_not_read_as_markdown(
    bare: Shell, options: tuple[str, ...]
) -> None:
    with panel(bare, verdict='{"quote": "`a` *b*", "lines": [1]}') as shell:
        shell.ensemble("panel", PANEL.replace("I am chair,", "I am chair, output_format: json,"))
        shown = on_screen(Terminal(shell, "invoke", "panel", *options), 80)
        again = on_screen(Terminal(shell, "runs", "show", "last", "--agent", "chair", "--no-pager"), 80)

    data = '{\n  "quote": "`a` *b*",\n  "lines": [\n    1\n  ]\n}\n'
    assert data in shown
    assert "`a` *b*" not in shown.replace(data, "")
    assert again == data
