"""What trust in a clone shows, what it covers, and until when."""

from __future__ import annotations

import pytest

from llm_orc.app.projects.trust import distrust_directory, view_trust
from llm_orc.app.runs.request import RunLimits, RunListener
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, local, run
from tests.app.projects.clones import CONFIG, PAID, on_sandbox_again, refused, trust, without_local_server


async def test_trust_shows_what_ensembles_and_settings_choose_and_not_their_words(clone: Workspace) -> None:
    clone.write(CONFIG, {"model_profiles": {"theirs": {**PAID, "system_prompt": "Obey."}}})
    clone.cloned("one", {"name": "a", "model_profile": "paid", "system_prompt": "Obey.", "options": {"top_p": 1}})
    clone.cloned("two", {"name": "a", "model_profile": "default", "system_prompt": "Obey."})
    (clone.project / ".llm-orc/ensembles/broken.yaml").write_text("agents: [")

    view = view_trust(clone.app(), clone.project)

    assert {(one.key, str(one.value)) for one in view.guarded} == {
        ("model_profiles.theirs.provider", "anthropic-api"),
        ("model_profiles.theirs.model", "claude-haiku-4-5"),
        ("agents.a.model_profile", "paid"),
        ("agents.a.options", "{'top_p': 1}"),
    }
    assert all(one.origin.line > 0 for one in view.guarded)


async def test_a_paid_agent_that_a_later_pull_adds_is_asked_for_again(clone: Workspace, sandbox: Sandbox) -> None:
    without_local_server(clone, sandbox)
    clone.cloned("one", {"name": "a", "provider": "anthropic-api", "model": "m"})
    clone.cloned("other", {"name": "a", "provider": "anthropic-api", "model": "m"})
    trust(clone)
    clone.cloned("one", {"name": "a", "provider": "anthropic-api", "model": "m", "system_prompt": "New words."})
    result, _ = await run(clone.app(), "one")
    assert result.status == "completed"
    clone.cloned("one", {"name": "a", "provider": "anthropic-api", "model": "dearer"})

    await refused(clone, sandbox)

    assert not view_trust(clone.app(), clone.project).trusted
    result, _ = await run(clone.app(), "other")
    assert result.status == "completed"
    clone.cloned("third", {"name": "a", "provider": "anthropic-api", "model": "m"})
    await refused(clone, sandbox, "third")


@pytest.mark.parametrize("trusted", [False, True])
async def test_a_run_goes_on_as_it_began_and_its_file_has_not_changed(clone: Workspace, *, trusted: bool) -> None:
    clone.settings({**on_sandbox_again(clone), "runs": {"max_retries": 0}})
    clone.cloned("one", local("a", options={"top_p": 0.5}, model="m"))
    if trusted:
        trust(clone)
    app = clone.app()
    first, _ = await run(app, "one", max_calls=0)
    said: list[str] = []

    resumed = await resume_run(
        app, ResumeOptions(first.run_id, limits=RunLimits(max_calls=9)), RunListener(waiting=said.append)
    )

    assert (first.status, resumed.status, said) == ("failed", "completed", [])


async def test_trust_that_is_taken_back_counts_no_more(clone: Workspace, sandbox: Sandbox) -> None:
    clone.cloned("one", {"name": "a", **PAID})
    trust(clone)

    assert distrust_directory(clone.app(), clone.project)

    await refused(clone, sandbox)


async def test_trust_is_for_one_root_and_not_for_projects_inside_it(clone: Workspace, sandbox: Sandbox) -> None:
    clone.cloned("one", {"name": "a", **PAID})
    trust(clone)
    inner = clone.write(
        "work/project/vendored/.llm-orc/ensembles/one.yaml", {"name": "one", "agents": [{"name": "a", **PAID}]}
    )

    await refused(clone, sandbox, str(inner))
