"""Providers that may only be called while a person is at the terminal, and whatever works without one."""

from __future__ import annotations

import pytest

from llm_orc.app.access.consent import unattended
from llm_orc.app.access.explain import explain_access
from llm_orc.app.batches.inputs import read_inputs
from llm_orc.app.batches.plan import plan_batch, prepare_batch
from llm_orc.app.batches.request import BatchOptions
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.catalog.rows import InteractiveOnly, ProviderSpec
from llm_orc.catalog.table import PROVIDERS, added
from llm_orc.errors import NotInteractive
from llm_orc.providers.lookup import find_provider
from tests.app.conftest import run
from tests.fakes.access_place import MINE, Place, one_story

WHY = {
    "reason": "its plan is for interactive tools",
    "link": "https://plan.example/terms",
    "date": "2026-03-28",
}
SAID = "its plan is for interactive tools (https://plan.example/terms, as of 2026-03-28)"


def put(place: Place) -> None:
    place.settings(MINE, interactive_only=WHY)
    place.key(MINE, "sk-mine")
    place.workspace.ensemble("one", {"name": "a", "provider": MINE, "model": "m"})


async def test_without_a_person_nothing_is_sent_and_reason_and_source_are_told(place: Place) -> None:
    put(place)

    with pytest.raises(NotInteractive) as refused:
        await run(place.workspace.app(), "one")
    used, sent = await one_story(place, MINE)

    assert SAID in refused.value.message
    assert (refused.value.exit_code, used, sent) == (4, None, "")
    assert place.sandbox.request_count == 0
    [row] = (await place.status(MINE)).credentials
    assert str(row.interactive_only) == SAID
    assert SAID in row.use


async def test_a_person_at_the_terminal_may_use_it_and_is_told_before(place: Place) -> None:
    put(place)
    place.workspace.is_attended = True

    used, sent = await one_story(place, MINE)
    plan = await explain_access(place.workspace.app(), find_ensemble(place.workspace.app(), "one"))

    assert used is not None
    assert sent == "sk-mine"
    assert plan.notices == (f"`{MINE}` is for interactive use only: {SAID}.",)


async def test_a_batch_is_refused_before_it_is_stored_even_if_a_person_starts_it(place: Place) -> None:
    put(place)
    place.workspace.is_attended = True
    app = place.workspace.app()
    inputs = read_inputs("-", b"one\ntwo\n", "lines")
    submission = prepare_batch(app, find_ensemble(app, "one"), inputs, BatchOptions(inputs="-"))

    with pytest.raises(NotInteractive, match="interactive tools"):
        await plan_batch(app, submission, lambda _plan, _rows: None)

    assert place.sandbox.request_count == 0


async def test_what_serves_others_takes_the_app_without_its_person(place: Place) -> None:
    put(place)
    place.workspace.is_attended = True

    with pytest.raises(NotInteractive):
        await run(unattended(place.workspace.app()), "one")


async def test_where_it_is_the_first_choice_no_fallback_hides_the_refusal(place: Place) -> None:
    put(place)
    place.workspace.settings(
        {
            "providers": {
                **place.providers,
                "openai-compatible": {"base_url": place.sandbox.base_url("openai-chat")},
            },
            "model_profiles": {
                "first": {"provider": MINE, "model": "m", "fallback_model_profile": "then"},
                "then": {"provider": "openai-compatible", "model": "m"},
                "other": {"provider": "openai-compatible", "model": "m", "fallback_model_profile": "first"},
            },
        }
    )
    place.workspace.ensemble("first", {"name": "a", "model_profile": "first"})
    place.workspace.ensemble("other", {"name": "a", "model_profile": "other"})

    with pytest.raises(NotInteractive):
        await run(place.workspace.app(), "first")
    result, seen = await run(place.workspace.app(), "other")

    assert result.status == "completed"
    assert any("fallback `first` is left out" in notice and SAID in notice for notice in seen.plans[0].notices)


async def test_a_rehearsal_calls_nobody_and_needs_no_person(place: Place) -> None:
    put(place)

    result, _ = await run(place.workspace.app(), "one", rehearse=True)

    assert result.status == "completed"


def test_what_a_built_in_row_says_can_not_be_lifted_by_the_configuration(place: Place) -> None:
    strict = ProviderSpec(
        "strict",
        "Strict",
        "openai-chat",
        "https://strict.example/v1",
        interactive_only=InteractiveOnly("the terms"),
    )
    with added(strict):
        place.providers["strict"] = {"interactive_only": {"reason": ""}, "billing": "subscription"}
        place.settings(MINE)
        found = find_provider("strict", place.workspace.app().settings.providers)

    assert found.interactive_only == InteractiveOnly("the terms")
    assert "strict" not in PROVIDERS
