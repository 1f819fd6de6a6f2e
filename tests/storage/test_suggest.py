from __future__ import annotations

import pytest

from llm_orc.storage.suggest import closest_names, did_you_mean


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("modle", "model"),
        ("Model", "model"),
        ("depends-on", "depends_on"),
        ("time_out_seconds", "timeout_seconds"),
    ],
)
def test_the_nearest_name_forgives_slips_case_and_dashes(typed: str, meant: str) -> None:
    assert closest_names(typed, ["name", "model", "depends_on", "timeout_seconds"])[0] == meant


def test_nothing_is_asked_where_nothing_is_near() -> None:
    assert did_you_mean("xyz", ["model", "provider"]) is None
    assert did_you_mean("modle", ["model"]) == "Did you mean `model`?"
