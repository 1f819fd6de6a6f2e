"""`Settings.value`: what counts for a key, also for one that only a row describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llm_orc.settings.field import Field
from llm_orc.settings.fields import SECTIONS, field_at
from llm_orc.storage.field_types import boolean, json_mapping, text, whole_number

if TYPE_CHECKING:
    from tests.settings.conftest import Place


def test_what_is_written_counts_and_else_the_default(place: Place) -> None:
    place.user("runs: {max_retries: 2}\nproviders: {openai: {auth_method: [oauth, api-key]}}\n")

    settings = place.load({"LLM_ORC_CA_FILE": "~/ca.pem"})

    assert settings.value("runs.max_retries") == 2
    assert settings.value("runs.keep_days") == 90
    assert settings.value("providers.openai.auth_method") == ["oauth", "api-key"]
    assert settings.value("network.ca_file") == "~/ca.pem"
    assert settings.value("runs.nothing") is None


def test_a_new_row_is_read_from_every_layer(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Field(text, "Made up.", "counts", default="calm", variable="LLM_ORC_MADE_UP", option="--made-up")
    monkeypatch.setitem(SECTIONS["runs"].fields, "made_up", row)
    layers = [place.load().value("runs.made_up")]
    place.user("runs: {made_up: '1'}")
    layers.append(place.load().value("runs.made_up"))
    place.in_project("runs: {made_up: '2'}")
    layers.append(place.load().value("runs.made_up"))
    layers.append(place.load({"LLM_ORC_MADE_UP": "3"}).value("runs.made_up"))
    last = place.load({"LLM_ORC_MADE_UP": "3"}, {"runs.made_up": "4"})

    assert layers == ["calm", "1", "2", "3"]
    assert last.value("runs.made_up") == "4"
    assert str(last.origins["runs.made_up"]) == "flag"


@pytest.mark.parametrize(("written", "read"), [("on", True), ("NO", False), ("true", True)])
def test_a_switch_of_the_environment_takes_the_words_of_shells(
    place: Place, monkeypatch: pytest.MonkeyPatch, written: str, *, read: bool
) -> None:
    monkeypatch.setitem(SECTIONS["runs"].fields, "made_up", Field(boolean, "Made up.", variable="LLM_ORC_MADE_UP"))

    assert place.load({"LLM_ORC_MADE_UP": written}).value("runs.made_up") is read


def test_a_limit_of_a_new_row_may_be_lowered_by_a_project_and_not_raised(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        SECTIONS["runs"].fields, "made_up", Field(whole_number(1), "Made up.", "lowers", default=5)
    )

    place.in_project("runs: {made_up: 4}")
    lower = place.load()
    place.in_project("runs: {made_up: 6}")
    higher = place.load()

    assert (lower.value("runs.made_up"), lower.withheld) == (4, ())
    assert higher.value("runs.made_up") == 5
    assert [(one.key, one.is_limit) for one in higher.withheld] == [("runs.made_up", True)]


def test_rows_may_be_added_to_providers_with_keys_of_their_own(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = {"deep": Field(whole_number(0), "Deep.")}
    monkeypatch.setitem(SECTIONS["providers"].fields, "made_up", Field(json_mapping, "Made up.", fields=inner))
    place.user("providers: {lab: {base_url: 'http://127.0.0.1:1/v1', made_up: {deep: 3}}}")

    settings = place.load()

    assert settings.value("providers.lab.made_up.deep") == 3
    assert settings.providers["lab"].base_url == "http://127.0.0.1:1/v1"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("runs", "record"), True),
        (("model_profiles", "fast", "options", "top_p"), True),
        (("providers", "lab", "oauth", "notice", "text"), True),
        (("providers", "lab", "oauth", "notice", "made_up"), False),
        (("runs", "made_up"), False),
        (("made_up", "record"), False),
        (("providers", "lab"), False),
    ],
)
def test_a_path_has_the_row_of_its_last_key_that_is_known(path: tuple[str, ...], *, found: bool) -> None:
    assert (field_at(path) is not None) is found
