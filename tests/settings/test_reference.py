"""The tables of settings in the reference: made from the rows, one for each section, with all that a row says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import reference_tables
from llm_orc.cli.root import root
from llm_orc.net.options import NetworkSettings
from llm_orc.settings.field import Field
from llm_orc.settings.fields import SECTIONS, plain_fields
from llm_orc.settings.model import (
    BatchSettings,
    McpServerSettings,
    ModelProfile,
    NotificationSettings,
    ProviderSettings,
    RunSettings,
    Settings,
    ToolSettings,
    WebSettings,
)
from llm_orc.settings.rows.call_fields import CALL_FIELDS, INTERACTIVE_FIELDS
from llm_orc.settings.rows.oauth_fields import NOTICE_FIELDS, OAUTH_FIELDS
from llm_orc.storage.field_types import whole_number

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_PAGE = (Path(__file__).parents[2] / "docs/reference/configuration.md").read_text(encoding="utf-8")
_GROUPS = {
    **{name: section.fields for name, section in SECTIONS.items()},
    "providers.oauth": OAUTH_FIELDS,
    "providers.oauth.notice": NOTICE_FIELDS,
    "providers.calls": CALL_FIELDS,
    "providers.interactive_only": INTERACTIVE_FIELDS,
}
_RECORDS: dict[str, type[DataclassInstance]] = {
    "model_profiles": ModelProfile,
    "providers": ProviderSettings,
    "mcp_servers": McpServerSettings,
    "tools": ToolSettings,
    "web": WebSettings,
    "runs": RunSettings,
    "batch": BatchSettings,
    "network": NetworkSettings,
    "notifications": NotificationSettings,
}


def test_every_section_has_its_table() -> None:
    assert reference_tables.names_in(_PAGE) == [
        "keys of model_profiles",
        "keys of providers",
        "keys of providers.oauth",
        "keys of providers.oauth.notice",
        "keys of providers.calls",
        "keys of providers.interactive_only",
        "keys of mcp_servers",
        "keys of tools",
        "keys of web",
        "keys of runs",
        "keys of batch",
        "keys of notifications",
        "keys of network",
    ]


def test_a_new_row_is_in_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Field(whole_number(1), "How much is made up.", "lowers", default=5, variable="LLM_ORC_MADE_UP")
    monkeypatch.setitem(SECTIONS["runs"].fields, "made_up", row)

    page = reference_tables.fill(_PAGE)

    [line] = set(page.splitlines()) - set(_PAGE.splitlines())
    assert [cell.strip() for cell in line.split("|")[1:-1]] == [
        "`made_up`",
        "a whole number, at least 1",
        "How much is made up.",
        "`5`",
        "lower only",
        "`LLM_ORC_MADE_UP`",
        "",
    ]


@pytest.mark.parametrize("group", _GROUPS)
def test_every_row_says_what_it_is_in_whole_sentences(group: str) -> None:
    assert [key for key, row in _GROUPS[group].items() if not row.description.endswith(".")] == []
    assert [key for key, row in _GROUPS[group].items() if not row.type.description] == []


def test_no_part_of_a_sign_in_counts_without_trust() -> None:
    assert {row.right for row in (*OAUTH_FIELDS.values(), *NOTICE_FIELDS.values())} == {"trust"}


def test_every_option_that_a_row_names_is_one_of_invoke() -> None:
    invoke = root.get_command(root.make_context("llm-orc", ["demo"], resilient_parsing=True), "invoke")
    assert invoke is not None
    known = {option for parameter in invoke.params for option in (*parameter.opts, *parameter.secondary_opts)}

    assert {row.option for _, row in plain_fields() if row.option} <= known


@pytest.mark.parametrize("section", _RECORDS)
def test_every_setting_of_ours_is_an_attribute_of_its_record(section: str) -> None:
    called = {row.attribute or key for key, row in SECTIONS[section].fields.items()}

    assert called <= {attribute.name for attribute in dataclasses.fields(_RECORDS[section])}


def test_the_defaults_of_the_rows_are_those_of_the_records() -> None:
    settings = Settings()
    records = {
        "runs": settings.runs,
        "batch": settings.batch,
        "network": settings.network,
        "web": settings.web,
        "notifications": settings.notifications,
    }

    for (section, key), row in plain_fields():
        default = getattr(records[section], row.attribute or key)
        assert (None if default == () else default) == row.default, key
