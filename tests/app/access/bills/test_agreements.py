"""A yes for good to an ensemble's bills holds for the ensemble as it was: whatever may raise its cost ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from llm_orc.agents.spec import Source
from llm_orc.app.access.bills.agreements import remember, with_agreements
from llm_orc.app.access.consent import Consent
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.auth.access import Bill
from tests.app.conftest import Workspace

BILL = Bill("openai", "m", "api-key", "metered", "key", "https://api.example")
INNER = """
name: inner
description: before
max_calls: 2
agents:
  - {name: b, model_profile: mine}
"""
OUTER = """
name: outer
description: before
default_task: t
max_cost: 1
agents:
  - {name: list, model_profile: mine, output_format: json}
  - {name: each, model_profile: mine, depends_on: [list], fan_out: {over: "${list}", max: 3}}
  - {name: often, model_profile: mine, samples: 3}
  - {name: kept, model_profile: mine, cache: true}
  - {name: nested, ensemble: inner}
  - name: again
    loop: {max_rounds: 2, agents: [{name: c, model_profile: mine}]}
"""
PROFILE = {"provider": "openai", "model": "m", "max_tokens": 100}


def write(workspace: Workspace, outer: str = OUTER, inner: str = INNER, **profile: object) -> None:
    workspace.settings({"model_profiles": {"mine": {**PROFILE, **profile}}})
    workspace.write(".config/llm-orc/ensembles/outer.yaml", yaml.safe_load(outer))
    workspace.write(".config/llm-orc/ensembles/inner.yaml", yaml.safe_load(inner))


def agreed(workspace: Workspace) -> frozenset[Bill]:
    app = workspace.app()
    return with_agreements(app, find_ensemble(app, "outer"), Consent()).agreed


@pytest.fixture
def kept(workspace: Workspace) -> Workspace:
    write(workspace)
    app = workspace.app()
    remember(app, find_ensemble(app, "outer"), [BILL])
    return workspace


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("max_cost: 1", "max_cost: 2"),
        ("max_cost: 1", "max_calls: 9"),
        ("max_cost: 1", "max_cost: 1\nconversation: talk\nwhen_full: summarise"),
        ("max: 3", "max: 30"),
        ("samples: 3", "samples: 9"),
        ("max_rounds: 2", "max_rounds: 9"),
        ("cache: true", "cache: false"),
        ("samples: 3", "samples: 3, max_tokens: 9000"),
        ("samples: 3", "samples: 3, system_prompt: Be long."),
    ],
)
def test_a_change_that_may_raise_the_cost_is_asked_for_again(kept: Workspace, before: str, after: str) -> None:
    assert agreed(kept) == {BILL}

    write(kept, outer=OUTER.replace(before, after))

    assert agreed(kept) == frozenset()


def test_so_is_one_within_what_it_uses(kept: Workspace) -> None:
    write(kept, inner=INNER.replace("max_calls: 2", "max_calls: 20"))
    of_nested = agreed(kept)
    write(kept, max_tokens=9_000)
    of_profile = agreed(kept)
    write(kept)

    assert not of_nested
    assert not of_profile
    assert agreed(kept) == {BILL}


def test_words_about_it_and_what_it_is_run_on_change_nothing(kept: Workspace) -> None:
    write(
        kept,
        OUTER.replace("before", "after").replace("default_task: t", "default_task: u"),
        INNER.replace("before", "after"),
    )

    assert agreed(kept) == {BILL}


def test_without_a_file_nothing_is_kept(kept: Workspace) -> None:
    app = kept.app()
    ensemble = find_ensemble(app, "outer")
    elsewhere = Source("file", "/elsewhere.yaml")

    for source in (None, elsewhere):
        assert with_agreements(app, replace(ensemble, source=source), Consent()).agreed == frozenset()
