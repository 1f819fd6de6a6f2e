"""`runs list`: turns of chats don't fill it, filters choose, and what matters is never cut."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from llm_orc.runs.journal import EndOfTry, Entries, Journal
from tests.runs.conftest import new_run

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

HOUR_S = 3_600.0


@pytest.fixture
def kept(bare: Shell) -> Shell:
    """Four runs of ensembles, and a turn of a chat that is newer than them."""
    now = time.time()
    journal = Journal(bare.home / ".local" / "state" / "llm-orc" / "runs.sqlite")
    for run_id, ensemble, age_h, status in (
        ("20261120-101112-aaaaaa", "contract-review-of-the-deal", 100.5, "completed_with_errors"),
        ("20261127-101112-bbbbbb", "panel", 5.5, "failed"),
        ("20261127-111112-cccccc", "panel", 3.5, "interrupted"),
        ("20261127-121112-dddddd", "panel", 1.5, "completed"),
        ("20261127-131112-eeeeee", "chat", 0.01, "completed"),
    ):
        run = new_run(run_id, "a", "b", started_at=now - age_h * HOUR_S)
        journal.begin(replace(run, ensemble=ensemble, kind="chat" if ensemble == "chat" else "ensemble"))
        end = EndOfTry(run_id, status, run.started_at + 12.0, 1, 0.0042)
        journal.append(Entries(run_id, [], end, lambda failure: None))
    journal.close()
    return bare


def ids(shell: Shell, *options: str) -> list[str]:
    done = shell.run("runs", "list", "--json", *options)
    assert done.returncode == 0, done.stderr
    return [run["run_id"][-6:][0] for run in json.loads(done.stdout)]


def test_turns_of_chats_are_listed_only_if_they_are_asked_for(kept: Shell) -> None:
    assert ids(kept) == ["d", "c", "b", "a"]
    assert ids(kept, "--kind", "chat") == ["e"]
    assert ids(kept, "--kind", "all") == ["e", "d", "c", "b", "a"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--status", "failed"], "b"),
        (["--status", "failed,interrupted"], "cb"),
        (["--status", "failed", "--status", "Completed-With-Errors"], "ba"),
        (["--status", "interrupted", "--limit", "1"], "c"),
        (["--status", "running"], ""),
        (["--ensemble", "panel"], "dcb"),
        (["--since", "2h"], "d"),
        (["--since", "2 days ago"], "dcb"),
        (["--since", "2001-02-03"], "dcba"),
        (["--since", "2d", "--ensemble", "panel", "--status", "completed"], "d"),
        (["--kind", "chat", "--ensemble", "panel"], ""),
    ],
)
def test_filters_choose_together(kept: Shell, options: list[str], found: str) -> None:
    assert "".join(ids(kept, *options)) == found


def test_last_is_the_newest_run_of_an_ensemble_and_a_turn_is_named_by_its_id(kept: Shell) -> None:
    last, turn = (json.loads(kept.run("runs", "show", "--json", run).stdout) for run in ("last", "eeeeee"))

    assert last["run_id"].endswith("dddddd")
    assert turn["run_id"].endswith("eeeeee")


def test_where_there_are_only_turns_last_is_one_and_the_list_says_where_they_are(shell: Shell) -> None:
    shell.run("chat", "panel:chair", stdin="one\n")

    listed = shell.run("runs", "list")

    assert (listed.returncode, listed.stdout) == (0, "")
    assert listed.stderr.splitlines()[-1] == "1 turn of chats: llm-orc runs list --kind chat"
    assert json.loads(shell.run("runs", "show", "--json").stdout)["input"] == "one"


def test_an_empty_choice_says_what_was_chosen_and_how_to_see_more(kept: Shell) -> None:
    done = kept.run("runs", "list", "--ensemble", "panle", "--status", "failed,running", "--since", "2026-11-01")

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        "No run matches: ensemble `panle`, status `failed` or `running`, since 2026-11-01 00:00.",
        "Without these filters there are 4: llm-orc runs list",
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--status", "fialed"], "`fialed` is unknown; it is one of `completed`"),
        (["--status", "fialed"], "Did you mean `failed`?"),
        (["--since", "soon"], "`soon` is no time: give a date such as `2026-11-27`"),
        (["--since", "3 moons"], "`3 moons` is no time"),
        (["--since", "99999-01-01"], "is no time"),
    ],
)
def test_a_filter_that_is_none_says_what_there_is(bare: Shell, options: list[str], said: str) -> None:
    done = bare.run("runs", "list", *options)

    assert done.returncode == 2
    assert said in done.stderr


def test_a_pipe_gets_every_column_and_whole_times(kept: Shell) -> None:
    row = kept.run("runs", "list", "--status", "completed_with_errors").stdout.rstrip("\n").split("\t")

    assert row[:4] == ["20261120-101112-aaaaaa", "contract-review-of-the-deal", "completed_with_errors", "1/2"]
    assert row[4].endswith("Z")
    assert row[5:] == ["12 s", "$0.0042"]


@pytest.mark.parametrize(
    ("columns", "screen"),
    [
        (
            120,
            """\
RUN                     ENSEMBLE                     STATUS                 AGENTS  STARTED  TIME     COST
20261127-121112-dddddd  panel                        completed                 1/2  1 h ago  12 s  $0.0042
20261127-111112-cccccc  panel                        interrupted               1/2  3 h ago  12 s  $0.0042
20261127-101112-bbbbbb  panel                        failed                    1/2  5 h ago  12 s  $0.0042
20261120-101112-aaaaaa  contract-review-of-the-deal  completed_with_errors     1/2  4 d ago  12 s  $0.0042
""",
        ),
        (
            80,
            """\
RUN     ENSEMBLE           STATUS                 AGENTS  STARTED  TIME     COST
dddddd  panel              completed                 1/2  1 h ago  12 s  $0.0042
cccccc  panel              interrupted               1/2  3 h ago  12 s  $0.0042
bbbbbb  panel              failed                    1/2  5 h ago  12 s  $0.0042
aaaaaa  contract-review-…  completed_with_errors     1/2  4 d ago  12 s  $0.0042
""",
        ),
        (
            60,
            """\
RUN     ENSEMBLE     STATUS                 STARTED     COST
dddddd  panel        completed              1 h ago  $0.0042
cccccc  panel        interrupted            3 h ago  $0.0042
bbbbbb  panel        failed                 5 h ago  $0.0042
aaaaaa  contract-r…  completed_with_errors  4 d ago  $0.0042
No room for AGENTS, TIME: widen the terminal, or use --json.
""",
        ),
    ],
)
def test_status_and_start_are_never_cut(kept: Shell, columns: int, screen: str) -> None:
    pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")
    from tests.cli.terminal import Terminal

    seen = Terminal(kept, "runs", "list", columns=columns).to_the_end()

    assert seen.replace("\r\n", "\n") == screen


def test_a_terminal_is_told_that_there_are_more(kept: Shell) -> None:
    pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")
    from tests.cli.terminal import Terminal

    seen = Terminal(kept, "runs", "list", "--limit", "2").to_the_end()

    assert seen.splitlines()[-1] == "The newest 2 of 4; see all with --all."
