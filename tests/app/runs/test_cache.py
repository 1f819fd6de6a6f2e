"""`cache`: nobody is asked twice where nothing has changed that shapes the answer, and it is said."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

import llm_orc
from llm_orc.agents.output import AgentOutput
from llm_orc.app.cache.store import AnswerStore
from llm_orc.app.history.fork import ForkOptions, fork_run, origin_of
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.conversation import ConversationOptions
from llm_orc.app.runs.runtime import Runtime
from llm_orc.formats.json_result import as_json
from llm_orc.formats.sentences import agent_figures
from llm_orc.sandbox.faults import Fault, Status
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, local, on_sandbox, run

if TYPE_CHECKING:
    from llm_orc.agents.spec import Caching


@pytest.fixture
def place(workspace: Workspace, sandbox: Sandbox) -> Workspace:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", local("a", cache=True))
    return workspace


async def test_an_unchanged_agent_is_asked_once_and_the_second_answer_says_so(
    place: Workspace, sandbox: Sandbox
) -> None:
    first, _ = await run(place.app(), "one")
    second, _ = await run(place.app(), "one")

    assert sandbox.request_count == 1
    assert second["a"].response == first["a"].response
    assert (second.total.calls, second.total.cost_usd, second.by_billing) == (0, 0.0, {})
    assert first["a"].cached is None
    cached = second["a"].cached
    assert cached is not None
    assert (cached.run_id, cached.agent, cached.model) == (first.run_id, "a", "m")
    assert json.loads(as_json(second))["results"]["a"]["cached"]["run_id"] == first.run_id
    assert f"from the cache, not paid for again (run {first.run_id})" in agent_figures(second["a"])


@pytest.mark.parametrize(
    "change",
    [
        {"system_prompt": "You are someone else."},
        {"model": "other"},
        {"temperature": 0.5},
        {"max_tokens": 7},
        {"prompt": "Look at ${task} again"},
        {"output_format": "json"},
        {"provider": "openai", "model": "m"},
    ],
)
async def test_whatever_shapes_the_answer_makes_it_a_new_question(
    place: Workspace, sandbox: Sandbox, change: dict[str, object]
) -> None:
    place.environ = {"OPENAI_API_KEY": "sk-canary-1"}
    await run(place.app(), "one")
    place.ensemble("one", local("a", cache=True, **change))

    changed, _ = await run(place.app(), "one")

    assert sandbox.request_count == 2
    assert changed["a"].cached is None


async def test_another_task_is_another_question_and_what_shapes_nothing_is_not(
    place: Workspace, sandbox: Sandbox
) -> None:
    await run(place.app(), "one")
    await run(place.app(), "one", "another task")
    place.ensemble("renamed", local("b", cache=True, system_prompt="You are a.", timeout_seconds=50))

    again, _ = await run(place.app(), "renamed")

    assert sandbox.request_count == 2
    assert again["b"].cached is not None


async def test_it_is_off_unless_the_file_says_so(place: Workspace, sandbox: Sandbox) -> None:
    place.ensemble("plain", local("a"))
    await run(place.app(), "plain")
    await run(place.app(), "plain")

    assert sandbox.request_count == 2
    assert not place.app().paths.answers_database.exists()


async def test_a_person_may_ask_anew(place: Workspace, sandbox: Sandbox) -> None:
    await run(place.app(), "one")
    off, _ = await run(place.app(), "one", caching="off")
    refreshed, _ = await run(place.app(), "one", caching="refresh")
    used, _ = await run(place.app(), "one")

    assert sandbox.request_count == 3
    assert (off["a"].cached, refreshed["a"].cached) == (None, None)
    assert used["a"].cached is not None
    assert used["a"].cached.run_id == refreshed.run_id


async def test_nothing_of_a_rehearsal_or_of_a_run_without_a_record_is_kept_or_taken(
    place: Workspace, sandbox: Sandbox
) -> None:
    await run(place.app(), "one", rehearse=True)
    await run(place.app(), "one", record=False)

    assert not place.app().paths.answers_database.exists()
    assert sandbox.request_count == 1


async def test_a_failure_is_not_kept(workspace: Workspace) -> None:
    workspace.ensemble("one", local("a", cache=True, max_tokens=1))
    async with Sandbox(faults=[Fault(Status(400), times=1)]) as sandbox:
        workspace.settings(on_sandbox(sandbox))
        failed, _ = await run(workspace.app(), "one")
        whole, _ = await run(workspace.app(), "one")

        assert failed["a"].status == "failed"
        assert whole["a"].cached is None


async def test_what_is_asked_again_is_asked(place: Workspace, sandbox: Sandbox) -> None:
    first, _ = await run(place.app(), "one")
    app = place.app()

    again = await fork_run(app, origin_of(app, first.run_id), ForkOptions(everything=True))

    assert sandbox.request_count == 2
    assert again["a"].cached is None


async def test_items_are_asked_one_by_one_and_each_that_has_not_changed_is_not_asked_again(
    place: Workspace, sandbox: Sandbox
) -> None:
    for items in (["a", "b"], ["a", "b", "c"]):
        each = local("each", cache=True, prompt="Look at ${item}", fan_out={"over": items})
        place.ensemble("many", each)
        result, _ = await run(place.app(), "many")

        assert result["each"].status == "completed"

    assert sandbox.request_count == 3


async def test_an_answer_from_the_cache_is_a_turn_of_a_conversation(place: Workspace, sandbox: Sandbox) -> None:
    await run(place.app(), "one", conversation=ConversationOptions("one"))
    result, _ = await run(place.app(), "one", conversation=ConversationOptions("two"))
    longer, _ = await run(place.app(), "one", conversation=ConversationOptions("two"))

    assert result["a"].cached is not None
    assert longer["a"].cached is None
    assert sandbox.request_count == 2


@pytest.mark.skipif(sys.platform == "win32", reason="the program here is a POSIX system's")
async def test_a_program_runs_again_only_if_something_has_changed(workspace: Workspace) -> None:
    script: dict[str, object] = {
        "name": "a",
        "script": ["sh", "-c", "cat > /dev/null; echo x >> count; echo $WORD"],
        "env": {"WORD": "${inputs.word}"},
        "cache": True,
    }
    workspace.environ = {"PATH": os.environ["PATH"]}
    script["cwd"] = str(workspace.project)
    workspace.ensemble("one", script, inputs={"word": "string"})

    answers = []
    for word in ("yes", "yes", "no"):
        result, _ = await run(workspace.app(), "one", inputs={"word": word})
        answers.append(result["a"].response)

    assert answers == ["yes", "yes", "no"]
    assert (workspace.project / "count").read_text().count("x") == 2


async def test_a_store_that_can_t_be_used_is_a_notice_and_no_failure(place: Workspace, sandbox: Sandbox) -> None:
    file = place.app().paths.answers_database
    file.parent.mkdir(parents=True, mode=0o700)
    file.write_text("this is no database, and it is long enough to be looked at" * 20)

    result, _ = await run(place.app(), "one")

    assert result.status == "completed"
    assert any("The cache can't be used" in notice for notice in result["a"].notices)


def test_the_store_is_private_stays_small_and_forgets_what_is_too_old(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "answers.sqlite"
    store = AnswerStore(file, most_bytes=40_000)
    keys = [store.key({"n": n}) for n in range(40)]
    for n, key in enumerate(keys):
        store.keep(key, AgentOutput("x" * 2000, ()), float(n))
        assert store.find(keys[0], n + 0.5, None) is not None
    store.keep(store.key("large"), AgentOutput("x" * 3000, ()), 99.0)

    assert store.size().size_bytes <= 40_000
    assert store.find(keys[1], 100.0, None) is None
    assert store.find(keys[-1], 100.0, 61.5) is not None
    assert store.find(keys[-1], 100.0, 60.5) is None
    assert store.find(store.key("large"), 100.0, None) is None
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert store.clear().answers > 0
    assert store.size().answers == 0
    store.close()


def test_stores_of_several_processes_stay_below_the_size_together(tmp_path: Path) -> None:
    stores = [AnswerStore(tmp_path / "answers.sqlite", most_bytes=64_000) for _ in range(3)]
    for number in range(300):
        stores[number % 3].keep(b"%d" % number, AgentOutput("x" * 1000, ()), float(number))
    size = stores[0].size()

    assert 55_000 < size.size_bytes < 70_000
    assert stores[1].find(b"0", 300.0, None) is None
    assert stores[1].find(b"299", 300.0, None) is not None
    for store in stores:
        store.close()


def test_half_a_character_in_a_question_or_an_answer_is_no_failure(tmp_path: Path) -> None:
    """JSON can say a lone surrogate, so an item of a list can, and UTF-8 can't."""
    store = AnswerStore(tmp_path / "x.sqlite")
    key = store.key({"prompt": "\ud83d"})
    store.keep(key, AgentOutput("\ud83d", ()), 1.0)

    found = store.find(key, 1.0, None)

    assert found is not None
    assert found.text == "\ufffd"
    assert key != store.key({"prompt": "\ud83e"})
    store.close()


def test_a_key_says_nothing_without_the_file(tmp_path: Path) -> None:
    """What was asked can't be tried out from a key, not even by somebody who knows what might have been."""
    one, other = AnswerStore(tmp_path / "a" / "x.sqlite"), AnswerStore(tmp_path / "b" / "x.sqlite")

    keys = {one.key({"prompt": "p"}), other.key({"prompt": "p"})}

    assert len(keys) == 2
    one.close()
    again = AnswerStore(tmp_path / "a" / "x.sqlite")
    assert again.key({"prompt": "p"}) in keys
    again.close()
    other.close()


async def test_a_python_program_says_what_is_done_with_answers_of_before(
    place: Workspace, sandbox: Sandbox
) -> None:
    async with Runtime(place.app()) as runtime:
        ensemble = find_ensemble(place.app(), "one")
        for caching, asked in (("use", 1), ("use", 1), ("off", 2), ("refresh", 3), ("use", 3)):
            await llm_orc.run(ensemble, "x", runtime=runtime, caching=cast("Caching", caching))
            assert sandbox.request_count == asked
