"""A provider whose calls have rules, as its user describes it: what is told before a run, and where it may run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_orc.app.access.choices import choices_of
from llm_orc.app.access.consent import Caller
from llm_orc.app.access.explain import explain_access, preview_run
from llm_orc.app.batches.store import caller_of
from llm_orc.app.diagnostics.check import check_ensemble
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.runtime import Runtime, Terms
from llm_orc.batches.store_url import parse_store_url
from llm_orc.errors import AccessNotSupported, EnsembleInvalid, NotTrusted, SettingsError
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, local, on_sandbox, run

RULES = {
    "always_stream": True,
    "leave_out": ["temperature", "max_output_tokens", "top_p", "previous_response_id"],
    "only_completed": True,
    "own_machine_only": "its terms say so",
    "terms_page": "https://mine.example/terms",
}


def mine(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "provider": "mine", "model": "m", **more}


def settings(sandbox: Sandbox, **more: object) -> dict[str, object]:
    base: Any = on_sandbox(sandbox)
    address = sandbox.base_url("openai-responses")
    base["providers"]["mine"] = {
        "base_url": address,
        "dialect": "openai-responses",
        "api_key_env": "MINE_KEY",
        "billing": "subscription",
        "calls": RULES,
        **more,
    }
    return dict(base)


@pytest.fixture(autouse=True)
def _key(workspace: Workspace) -> None:
    workspace.environ["MINE_KEY"] = "k-123456789"


async def test_a_run_sends_what_the_provider_takes_and_says_once_what_it_left_out(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.settings(settings(sandbox))
    workspace.ensemble(
        "one",
        mine("a", temperature=0.5, max_tokens=50),
        mine("b", temperature=0.5, max_tokens=60),
        mine("c", options={"top_p": 0.5}),
        mine("d"),
    )

    result, seen = await run(workspace.app(), "one")

    assert result.status == "completed"
    bodies = [json.loads(request.body) for request in sandbox.requests]
    assert {frozenset(body) for body in bodies} == {frozenset({"model", "input", "store", "stream"})}
    assert [notice for notice in seen.plans[0].notices if "refuses" in notice] == [
        "`mine` refuses `temperature`, `max_tokens`, so it is called without (agents `a`, `b`).",
        "`mine` refuses `options.top_p`, so it is called without (agent `c`).",
    ]


async def test_check_and_explain_say_it_too(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(settings(sandbox))
    workspace.ensemble("one", mine("a", temperature=0.5), local("b", temperature=0.5))

    report = await check_ensemble(workspace.app(), "one")
    plan = await explain_access(workspace.app(), find_ensemble(workspace.app(), "one"))

    said = "`mine` refuses `temperature`, so it is called without (agent `a`)."
    assert report.is_good
    assert report.plan is not None
    assert said in report.plan.notices
    assert said in plan.notices


async def test_an_option_without_which_a_request_means_something_else_is_an_error(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.settings(settings(sandbox, extra_options=["previous_response_id"]))
    workspace.ensemble("one", mine("a", options={"previous_response_id": "r"}))

    report = await check_ensemble(workspace.app(), "one")
    with pytest.raises(EnsembleInvalid):
        await run(workspace.app(), "one")

    [problem] = report.problems
    assert "`options.previous_response_id` is refused by this provider" in problem.message
    assert problem.hint == "Remove it, or use another provider."
    assert sandbox.request_count == 0


async def test_a_limit_of_cost_needs_a_limit_of_the_answer(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(
        {
            **settings(sandbox, billing="metered"),
            "model_profiles": {"p": {"provider": "mine", "model": "m", "cost_per_token": 0.001}},
        }
    )
    workspace.ensemble("one", {"name": "a", "model_profile": "p", "max_tokens": 5})

    with pytest.raises(SettingsError, match="`mine` takes no limit of an answer, so `--max-cost`"):
        await run(workspace.app(), "one", max_cost_usd=1.0)

    assert sandbox.request_count == 0


async def test_without_a_limit_of_the_answer_an_estimate_has_no_most(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    priced = {"provider": "mine", "model": "m", "cost_per_token": 0.001}
    workspace.settings({**settings(sandbox, billing="metered"), "model_profiles": {"p": priced}})
    workspace.ensemble("one", {"name": "a", "model_profile": "p", "max_tokens": 5})
    app = workspace.app()

    estimate = (await preview_run(app, find_ensemble(app, "one"), "the task")).estimate()

    assert estimate is not None
    assert estimate.likely_usd is not None
    assert estimate.most_usd is None


async def test_a_project_that_nobody_trusts_changes_no_rules(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(settings(sandbox))
    workspace.write("work/project/.llm-orc/config.yaml", {"providers": {"mine": {"calls": {"leave_out": []}}}})
    workspace.ensemble("one", mine("a"))

    with pytest.raises(NotTrusted, match=r"providers\.mine\.calls\.leave_out"):
        await run(workspace.app(), "one")

    assert sandbox.request_count == 0


@pytest.mark.parametrize(
    ("caller", "words"),
    [("shared store", "a worker on a shared store"), ("open server", "a server that other machines can reach")],
)
async def test_it_is_called_from_its_users_own_machine_only(
    workspace: Workspace, sandbox: Sandbox, caller: Caller, words: str
) -> None:
    workspace.settings(settings(sandbox))
    workspace.ensemble("one", mine("a"), mine("b"))
    app = workspace.app()
    choices = find_choices(workspace)

    async with Runtime(app) as runtime:
        with pytest.raises(AccessNotSupported) as caught:
            await runtime.models_for(choices, Terms(caller=caller))
        await runtime.models_for(choices, Terms())

    said = f"`mine` is not called by {words}: its terms say so (https://mine.example/terms) (agents `a`, `b`)"
    assert caught.value.message == said
    assert sandbox.request_count == 0


async def test_there_another_provider_takes_its_place_where_a_profile_says_so(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    profiles = {
        "p": {"provider": "mine", "model": "m", "fallback_model_profile": "q"},
        "q": {"provider": "openai-compatible", "model": "m"},
    }
    workspace.settings({**settings(sandbox), "model_profiles": profiles})
    workspace.ensemble("one", {"name": "a", "model_profile": "p"})

    async with Runtime(workspace.app()) as runtime:
        found = await runtime.models_for(find_choices(workspace), Terms(caller="shared store"))

    assert [model.access.provider for model in found.ready.by_agent["a"]] == ["openai-compatible"]
    assert any("is left out: `mine` is not called by" in notice for notice in found.ready.notices)


@pytest.mark.parametrize(
    ("store", "caller"), [("postgresql://me@host/db", "shared store"), ("/tmp/b.sqlite", "own machine")]
)
def test_a_store_that_machines_share_is_one_of_workers(workspace: Workspace, store: str, caller: Caller) -> None:
    assert caller_of(parse_store_url(store, workspace.root / "own.sqlite")) == caller


def find_choices(workspace: Workspace) -> Any:
    app = workspace.app()
    return choices_of(find_ensemble(app, "one"), app.settings)
