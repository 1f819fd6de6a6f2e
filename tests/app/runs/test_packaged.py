"""What the packaged ensembles make of given answers: their programs run, their models are written answers on loopback."""

from __future__ import annotations

import csv
import json
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, ClassVar, Protocol

import pytest

from tests.app.conftest import Workspace, run
from written_answers import Written, serve_answers

if TYPE_CHECKING:
    from collections.abc import Iterator

DIFF = """\
--- a/pay.py
+++ b/pay.py
@@ -1,2 +1,3 @@
 def share(total, people):
-    return total / people
+    people = [p for p in people if p]
+    return total // len(people)
"""


class Answered(Protocol):
    def __call__(self, *answers: tuple[str, str, object]) -> AbstractContextManager[None]: ...


@pytest.fixture
def answered(workspace: Workspace) -> Answered:
    """Serve answers, each for a part of a role and of what is asked, as the model of the profile `default`."""

    @contextmanager
    def serve(*answers: tuple[str, str, object]) -> Iterator[None]:
        written = [Written(said if isinstance(said, str) else json.dumps(said), *at) for *at, said in answers]
        with serve_answers(written) as url:
            workspace.settings(
                {
                    "providers": {"openai-compatible": {"base_url": url}},
                    "model_profiles": {"default": {"provider": "openai-compatible", "model": "small"}},
                }
            )
            yield

    return serve


def finding(quote: str, severity: str = "high") -> dict[str, str]:
    return {"file": "pay.py", "quote": quote, "fault": f"about {quote}", "severity": severity}


def verdict(*, holds: bool, severity: str) -> dict[str, object]:
    return {"why": "Worked through.", "holds": holds, "severity": severity}


class TestReviewDiff:
    found = (
        (
            "correctness alone",
            "",
            {"findings": [finding("+    return total // len(people)"), finding("import os")]},
        ),
        ("security alone", "", {"findings": [finding("people = [p for p in people if p]")]}),
        ("You verify", "about +    return total", verdict(holds=True, severity="medium")),
        ("You verify", "about people = [p", verdict(holds=False, severity="high")),
        ("You write the review", '"holds": true', "Merge after changes."),
    )

    async def test_each_finding_needs_evidence_and_is_verified(
        self, workspace: Workspace, answered: Answered
    ) -> None:
        with answered(*self.found):
            result, _ = await run(workspace.app(), "review-diff", DIFF)

        assert (result.status, result.exit_code, result.answer) == ("completed", 0, "Merge after changes.")
        assert result["confirmed"].data == {
            "findings": [
                {
                    "file": "pay.py",
                    "quote": "+    return total // len(people)",
                    "fault": "about +    return total // len(people)",
                    "severity": "medium",
                    "holds": True,
                    "why": "Worked through.",
                }
            ],
            "refuted": 1,
            "without_evidence": 1,
            "blocking": False,
        }

    async def test_fails_in_ci_on_what_the_input_says(self, workspace: Workspace, answered: Answered) -> None:
        with answered(*self.found):
            result, _ = await run(workspace.app(), "review-diff", DIFF, inputs={"fail_on": "any"})

        assert result.exit_code == 1

    async def test_without_findings_nothing_is_verified(self, workspace: Workspace, answered: Answered) -> None:
        with answered(("alone", "", {"findings": []}), ("You write the review", "[]", "No defect was confirmed.")):
            result, _ = await run(workspace.app(), "review-diff", DIFF, inputs={"fail_on": "any"})

        assert (result.answer, result.exit_code, result.total.calls) == ("No defect was confirmed.", 0, 3)

    async def test_what_could_not_be_verified_stays_and_says_so(
        self, workspace: Workspace, answered: Answered
    ) -> None:
        one_without = (*self.found[:2], self.found[3], ("You write the review", '"holds": null', "Unclear."))
        with answered(*one_without):
            result, _ = await run(workspace.app(), "review-diff", DIFF, inputs={"fail_on": "high"})

        assert (result["confirmed"].response or "").count('"holds": null') == 1
        assert (result.answer, result.exit_code) == ("Unclear.", 1)


async def test_the_council_asks_three_compares_once_and_writes_once(
    workspace: Workspace, answered: Answered
) -> None:
    compared = {"agreed": [], "disputed": [], "mistakes": [], "missing": ["the cost"], "best": "B"}
    with answered(
        ("You write the final answer", '"missing": ["the cost"]', "Sort it on disk, in 3 passes."),
        ("You compare answers", "Answer B:", compared),
        ("Look for a second way", "", "Sort it on disk."),
        ("Answer the question", "", "Use a set."),
    ):
        result, _ = await run(workspace.app(), "council")

    assert (result.answer, result.total.calls) == ("Sort it on disk, in 3 passes.", 5)


async def test_a_table_says_which_rows_stand_in_the_text(workspace: Workspace, answered: Answered) -> None:
    def row(quote: str, **cells: str) -> dict[str, object]:
        return {"cells": [{"column": name, "value": value} for name, value in cells.items()], "quote": quote}

    rows = [row("Ada paid\n  -3 EUR", Payee="Ada", amount="-3"), row("Bob paid 5", amount="=5+1", mood="good")]
    with answered(("You extract a table", "The columns: payee, amount", {"rows": rows})):
        result, _ = await run(
            workspace.app(), "extract-table", "Then Ada paid -3 EUR.", inputs={"columns": "payee, amount"}
        )

    table = [*csv.reader((result.answer or "").splitlines())]
    assert table == [
        ["payee", "amount", "quote", "found"],
        ["Ada", "-3", "Ada paid -3 EUR", "yes"],
        ["", "'=5+1", "Bob paid 5", "no"],
    ]


async def test_a_digest_reads_each_file_once_and_says_what_it_left_out(
    workspace: Workspace, answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {
        "a.md": "We meet on Monday.",
        "sub/b.md": "On Tuesday.",
        "id_rsa.md": "x",
        "c.txt": "-",
    }.items():
        workspace.write(f"work/project/minutes/{name}", text)
    monkeypatch.chdir(workspace.project)
    with answered(
        ("You take notes", "We meet on Monday.", "- Monday"),
        ("You take notes", "On Tuesday.", "- Tuesday"),
        ("You answer a question", "id_rsa.md: may be a secret", "Monday (a.md) or Tuesday (sub/b.md)."),
    ):
        result, _ = await run(
            workspace.app(), "folder-digest", "When?", inputs={"folder": "minutes", "files": "*.md"}
        )

    assert (result.answer, result["notes"].data) == (
        "Monday (a.md) or Tuesday (sub/b.md).",
        ["- Monday", "- Tuesday"],
    )


class TestTranslate:
    async def test_is_revised_until_the_judge_finds_nothing(
        self, workspace: Workspace, answered: Answered
    ) -> None:
        fault = {"quote": "Friday in eight days", "fault": "means Friday week", "better": "Friday week"}
        with answered(
            ("You compare a translation", "On Friday in eight days", {"faults": [fault], "score": 6}),
            ("You compare a translation", "On Friday week", {"faults": [], "score": 10}),
            ("You translate", "means Friday week", "On Friday week."),
            ("You translate", "", "On Friday in eight days."),
        ):
            result, _ = await run(workspace.app(), "translate", "Freitag in acht Tagen.")

        assert (result.answer, result.total.calls) == ("On Friday week.", 4)

    async def test_the_best_one_is_kept_if_none_is_good(self, workspace: Workspace, answered: Answered) -> None:
        fault = {"quote": "x", "fault": "y", "better": "z"}
        with answered(
            ("You compare a translation", "second try", {"faults": [fault], "score": 2}),
            ("You compare a translation", "first try", {"faults": [fault], "score": 7}),
            ("You translate", "first try", "second try"),
            ("You translate", "second try", "second try"),
            ("You translate", "", "first try"),
        ):
            result, _ = await run(workspace.app(), "translate", "Hallo.")

        assert (result.status, result.answer) == ("completed", "first try")


class TestWatch:
    judged: ClassVar[dict[str, object]] = {"evidence": "disk full", "summary": "The disk is full.", "alert": True}

    async def test_nothing_new_asks_nobody(self, workspace: Workspace, answered: Answered) -> None:
        with answered():
            result, _ = await run(workspace.app(), "watch", "", inputs={"text": "\n"})

        assert (result.status, result.exit_code, result.total.calls) == ("completed", 0, 0)

    @pytest.mark.parametrize(("alert", "code"), [(True, 1), (False, 0)])
    async def test_an_alert_fails_the_run(
        self, workspace: Workspace, answered: Answered, *, alert: bool, code: int
    ) -> None:
        log = workspace.write("app.log", "x" * 50_000 + "\ndisk full\n")
        with answered(("You watch over", "disk full", {**self.judged, "alert": alert})):
            result, _ = await run(workspace.app(), "watch", "", inputs={"file": str(log)})

        assert (result.status, result.exit_code) == ("completed", code)
        assert len(result["look"].response or "") < 45_000

    async def test_or_the_run_waits_until_somebody_has_seen_it(
        self, workspace: Workspace, answered: Answered
    ) -> None:
        with answered(("You watch over", "", self.judged)):
            result, _ = await run(workspace.app(), "watch", "", inputs={"text": "disk full", "on_alert": "ask"})

        assert result.status == "waiting"
        assert result["seen"].asked is not None
        assert "The disk is full." in result["seen"].asked.message


async def test_research_asks_about_each_part(workspace: Workspace, answered: Answered) -> None:
    parts = [{"question": f"Part {n}?", "would_answer": "a", "would_only_seem_to": "b"} for n in (1, 2)]
    with answered(
        ("You prepare a research question", "", {"asked": "This.", "parts": parts}),
        ("You collect the evidence", "Part 1?", "Strong."),
        ("You collect the evidence", "Part 2?", "Weak."),
        ("You write the synthesis", '["Strong.", "Weak."]', "Yes [1], perhaps [2]."),
    ):
        result, _ = await run(workspace.app(), "research-synthesis")

    assert result.answer == "Yes [1], perhaps [2]."
