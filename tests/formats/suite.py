"""What every output format must do, whoever wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from llm_orc.errors import NotLoggedIn
from llm_orc.formats.format import EventFormat, Format, ResultFormat
from llm_orc.formats.table import FORMAT_NAMES, load_format
from tests.formats.results import results

if TYPE_CHECKING:
    from llm_orc.engine.events import RunEvent
    from llm_orc.runs.results import RunResult


def written(form: Format, result: RunResult, events: tuple[RunEvent, ...]) -> str:
    if isinstance(form, EventFormat):
        return "".join(form.event(event) + "\n" for event in events)
    return form.result(result)


@pytest.mark.parametrize("form", [load_format(name) for name in FORMAT_NAMES], ids=FORMAT_NAMES)
class FormatSuite:
    def test_every_answer_is_in_it(self, form: Format, result: RunResult, events: tuple[RunEvent, ...]) -> None:
        text = written(form, result, events)

        assert "The numbers hold." in text
        assert "Sell." in text

    def test_a_failed_agent_is_there_with_its_reason_and_the_way_out(
        self, form: Format, result: RunResult, events: tuple[RunEvent, ...]
    ) -> None:
        text = written(form, result, events)

        assert "lawyer" in text
        assert "`openai` allows no more calls now" in text
        assert "wait" in text

    def test_it_ends_with_exactly_one_newline(
        self, form: Format, result: RunResult, events: tuple[RunEvent, ...]
    ) -> None:
        text = written(form, result, events)

        assert text.endswith("\n")
        assert not text.endswith("\n\n")

    def test_a_failure_in_its_place_names_the_code_if_it_writes_one(self, form: Format) -> None:
        error = NotLoggedIn("no way into `openai`", hint="llm-orc invoke x --rehearse")

        text = form.error(error) if form.error else "not_logged_in"

        assert "not_logged_in" in text


@pytest.mark.parametrize(
    "form", [form for form in map(load_format, FORMAT_NAMES) if isinstance(form, ResultFormat)]
)
class ResultFormatSuite:
    def test_canned_answers_are_called_so(self, form: ResultFormat, sandbox_result: RunResult) -> None:
        assert "sandbox" in form.result(sandbox_result).lower()

    def test_a_real_run_is_not_called_canned(self, form: ResultFormat, result: RunResult) -> None:
        text = form.result(result).lower().replace('"sandbox": false', "")

        assert "sandbox" not in text
        assert "canned" not in text

    @given(any_result=results())
    def test_any_result_can_be_written(self, form: ResultFormat, any_result: RunResult) -> None:
        text = form.result(any_result)

        assert any_result.run_id in text
        assert any_result.status in text
