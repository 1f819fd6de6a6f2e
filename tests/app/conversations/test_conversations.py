"""Runs that go on with a conversation: what each agent is told the next time, as the providers received it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from llm_orc.app.conversations.archive import conversations, get_conversation
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.conversation import ConversationOptions
from llm_orc.app.runs.request import RunListener
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.app.wiring import App
from llm_orc.conversations.conversation import CUT_MARK
from llm_orc.engine.events import AgentDelta, RunEvent
from llm_orc.errors import ConversationNotFound, InputError
from llm_orc.protocols.chat_request import ChatRequest
from llm_orc.runs.results import RunResult
from llm_orc.sandbox.faults import Cut, Delay, Fault, Hang, Status
from llm_orc.sandbox.request_log import ReceivedRequest
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import KEY, Workspace, local, on_sandbox, run

TAXES = ConversationOptions("taxes")


def echo(asked: ChatRequest) -> str:
    return f"answer to <{asked.prompt}>"


@asynccontextmanager
async def echoing(workspace: Workspace, **options: object) -> AsyncIterator[Sandbox]:
    async with Sandbox(compose=echo, **options) as sandbox:  # type: ignore[arg-type]
        workspace.settings(on_sandbox(sandbox))
        yield sandbox


def told(request: ReceivedRequest) -> list[tuple[str, str]]:
    """The turns of a request, with the sandbox's label taken off the answers."""
    return [
        (m.role, m.content.partition("] ")[2] if m.role == "assistant" else m.content) for m in request.messages
    ]


def said(*questions: str) -> list[tuple[str, str]]:
    """The turns that these questions make, the last one still without its answer."""
    turns = [turn for q in questions for turn in (("user", q), ("assistant", f"answer to <{q}>"))]
    return turns[:-1]


async def ask(workspace: Workspace, task: str, name: str = "solo", **options: object) -> RunResult:
    result, _ = await run(workspace.app(), name, task, **{"conversation": TAXES, **options})
    return result


@pytest.mark.parametrize(
    ("provider", "key"),
    [
        ("openai-compatible", ""),
        ("anthropic-api", "ANTHROPIC_API_KEY"),
        ("openai", "OPENAI_API_KEY"),
        ("google-gemini", "GEMINI_API_KEY"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_the_next_run_is_told_what_was_said_in_every_dialect(
    workspace: Workspace, provider: str, key: str, *, stream: bool
) -> None:
    workspace.environ |= {key: KEY} if key else {}
    workspace.ensemble("solo", local("analyst", provider=provider))
    async with echoing(workspace) as sandbox:
        *_, last = [await ask(workspace, question, stream=stream) for question in ("one", "two", "three")]

    assert last.status == "completed"
    assert [told(r) for r in sandbox.requests] == [said("one"), said("one", "two"), said("one", "two", "three")]
    assert {r.system_prompt for r in sandbox.requests} == {"You are analyst."}


async def test_each_agent_has_a_history_of_its_own(workspace: Workspace) -> None:
    workspace.ensemble("panel", local("analyst"), local("chair", depends_on=["analyst"]))
    async with echoing(workspace) as sandbox:
        await ask(workspace, "one", "panel")
        await ask(workspace, "two", "panel")

    by_role = {r.system_prompt: told(r) for r in sandbox.requests}
    assert by_role["You are analyst."] == said("one", "two")
    chair = by_role["You are chair."]
    assert [role for role, _ in chair] == ["user", "assistant", "user"]
    assert "answer to <one>" in chair[0][1]
    assert "answer to <two>" in chair[2][1]


async def test_without_a_conversation_nothing_is_remembered_and_no_file_made(workspace: Workspace) -> None:
    workspace.ensemble("solo", local("analyst"))
    async with echoing(workspace) as sandbox:
        await run(workspace.app(), "solo", "one")
        await run(workspace.app(), "solo", "two")

    assert [told(r) for r in sandbox.requests] == [said("one"), said("two")]
    assert not workspace.app().paths.conversations_database.exists()


async def test_the_result_and_the_record_name_the_conversation(workspace: Workspace) -> None:
    workspace.ensemble("solo", local("analyst"))
    async with echoing(workspace):
        result = await ask(workspace, "one")

    assert result.conversation == "taxes"
    turn = get_conversation(workspace.app(), "taxes").turns[1]
    assert turn.access is not None
    assert (turn.run_id, turn.model, turn.access.billing, turn.access.method) == (
        result.run_id,
        "m",
        "local",
        "none",
    )
    assert turn.usage == result["analyst"].usage


async def test_what_came_before_is_read_from_the_providers_cache_and_shown(workspace: Workspace) -> None:
    workspace.environ["ANTHROPIC_API_KEY"] = KEY
    workspace.ensemble("solo", local("analyst", provider="anthropic-api"))
    async with echoing(workspace) as sandbox:
        first = await ask(workspace, "one")
        second = await ask(workspace, "two")

    before, after = first["analyst"].usage, second["analyst"].usage
    assert before.cache_write_tokens == before.input_tokens
    assert after.cache_read_tokens == before.input_tokens
    assert after.cache_read_tokens + after.cache_write_tokens == after.input_tokens
    assert all(r.body.count(b"cache_control") == 1 for r in sandbox.requests)


async def test_a_run_that_stands_alone_pays_for_no_cache(workspace: Workspace) -> None:
    workspace.environ["ANTHROPIC_API_KEY"] = KEY
    workspace.ensemble("solo", local("analyst", provider="anthropic-api"))
    async with echoing(workspace) as sandbox:
        await run(workspace.app(), "solo", "one")

    assert b"cache_control" not in sandbox.requests[0].body


class TestInTheYaml:
    async def test_an_ensemble_names_its_conversation(self, workspace: Workspace) -> None:
        workspace.ensemble("solo", local("analyst"), conversation="standing")
        async with echoing(workspace) as sandbox:
            await run(workspace.app(), "solo", "one")
            await run(workspace.app(), "solo", "two")
            await run(workspace.app(), "solo", "three", conversation=ConversationOptions(forget=True))

        assert [told(r) for r in sandbox.requests] == [said("one"), said("one", "two"), said("three")]

    async def test_an_agent_alone_remembers_under_the_ensembles_name(self, workspace: Workspace) -> None:
        workspace.ensemble("pair", local("keeper", conversation=True), local("other"))
        async with echoing(workspace) as sandbox:
            await run(workspace.app(), "pair", "one")
            result, _ = await run(workspace.app(), "pair", "two")

        assert result.conversation == "pair"
        by_role = {r.system_prompt: told(r) for r in sandbox.requests}
        assert by_role == {"You are keeper.": said("one", "two"), "You are other.": said("two")}

    async def test_an_agent_that_does_not_remember_never_does(self, workspace: Workspace) -> None:
        workspace.ensemble("pair", local("keeper"), local("other", conversation=False))
        async with echoing(workspace) as sandbox:
            await ask(workspace, "one", "pair")
            await ask(workspace, "two", "pair")

        by_role = {r.system_prompt: told(r) for r in sandbox.requests}
        assert by_role == {"You are keeper.": said("one", "two"), "You are other.": said("two")}

    async def test_a_file_is_not_told_what_was_said_to_another(self, workspace: Workspace) -> None:
        workspace.ensemble("solo", local("analyst"))
        workspace.ensemble("curious", local("analyst"), conversation="taxes")
        async with echoing(workspace) as sandbox:
            await ask(workspace, "my income")
            with pytest.raises(InputError, match="begun by ensemble `solo`") as refused:
                await run(workspace.app(), "curious", "tell me")
            await ask(workspace, "yes, do", "curious")

        assert refused.value.hint == "If you want that, pass `--conversation taxes`."
        assert [told(r) for r in sandbox.requests] == [said("my income"), said("my income", "yes, do")]


class TestGoingOn:
    async def test_continue_takes_the_last_conversation_of_this_ensemble(self, workspace: Workspace) -> None:
        workspace.ensemble("solo", local("analyst"))
        workspace.ensemble("other", local("analyst"))
        async with echoing(workspace) as sandbox:
            await ask(workspace, "one")
            await ask(workspace, "elsewhere", "other", conversation=ConversationOptions("newer"))
            await ask(workspace, "two", conversation=ConversationOptions(go_on=True))

        assert told(sandbox.requests[-1]) == said("one", "two")

    async def test_there_may_be_none(self, workspace: Workspace) -> None:
        workspace.ensemble("solo", local("analyst"))
        async with echoing(workspace):
            with pytest.raises(ConversationNotFound, match="no conversation with `solo`"):
                await ask(workspace, "two", conversation=ConversationOptions(go_on=True))

    async def test_a_rehearsal_is_told_and_not_kept(self, workspace: Workspace) -> None:
        workspace.ensemble("solo", local("analyst"))
        async with echoing(workspace):
            await ask(workspace, "one")
            result = await ask(workspace, "two", rehearse=True)

        assert "one" in (result["analyst"].response or "")
        assert [t.text for t in get_conversation(workspace.app(), "taxes").turns if t.role == "user"] == ["one"]


class TestWhatGoesWrong:
    async def test_a_question_that_failed_is_kept_and_not_told(self, workspace: Workspace) -> None:
        workspace.ensemble("solo", local("analyst"))
        async with echoing(workspace, faults=[Fault(Status(400), contains="two")]) as sandbox:
            for question in ("one", "two", "three"):
                await ask(workspace, question)

        assert told(sandbox.requests[-1]) == said("one", "three")
        states = [(t.text, t.state) for t in get_conversation(workspace.app(), "taxes").turns if t.role == "user"]
        assert states == [("one", "done"), ("two", "failed"), ("three", "done")]

    async def test_a_retry_is_told_the_same(self, workspace: Workspace) -> None:
        workspace.ensemble("solo", local("analyst"))
        faults = [Fault(Cut(2), contains="two", times=1)]
        async with echoing(workspace, faults=faults) as sandbox:
            await ask(workspace, "one")
            await ask(workspace, "two", stream=True)

        assert [told(r) for r in sandbox.requests[1:]] == [said("one", "two")] * 2
        assert len(get_conversation(workspace.app(), "taxes").turns) == 4

    async def test_a_fall_to_another_access_is_told_the_same(self, workspace: Workspace) -> None:
        workspace.environ["ANTHROPIC_API_KEY"] = KEY
        async with echoing(workspace, faults=[Fault(Status(401), model="m", after=1)]) as sandbox:
            profile = {"provider": "anthropic-api", "model": "claude-x"}
            workspace.settings(on_sandbox(sandbox, model_profiles={"other": profile}))
            workspace.ensemble("solo", local("analyst", fallback_model_profile="other"))
            await ask(workspace, "one")
            result = await ask(workspace, "two")
            await ask(workspace, "three")

        assert result["analyst"].model == "claude-x"
        assert [(r.dialect, told(r)) for r in sandbox.requests] == [
            ("openai-chat", said("one")),
            ("openai-chat", said("one", "two")),
            ("anthropic", said("one", "two")),
            ("openai-chat", said("one", "two", "three")),
            ("anthropic", said("one", "two", "three")),
        ]
        billing = [t.access.billing for t in get_conversation(workspace.app(), "taxes").turns if t.access]
        assert billing == ["local", "metered", "metered"]

    async def test_an_answer_that_is_stopped_is_kept_as_far_as_it_came(self, workspace: Workspace) -> None:
        workspace.ensemble("solo", local("analyst"))
        came = asyncio.Event()

        def show(event: RunEvent) -> None:
            if isinstance(event, AgentDelta) and "to" in event.text:
                came.set()

        async with echoing(workspace, faults=[Fault(Hang(3), contains="one", times=1)]) as sandbox:
            options = RunOptions("one", conversation=TAXES)
            app = workspace.app()
            running = asyncio.create_task(
                run_ensemble(app, find_ensemble(app, "solo"), options, RunListener(show, stream=True))
            )
            await came.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            await ask(workspace, "two")

        cut = told(sandbox.requests[-1])[1]
        assert cut == ("assistant", f"answer to \n\n{CUT_MARK}")
        assert [t.state for t in get_conversation(workspace.app(), "taxes").turns] == [
            "done",
            "cut",
            "done",
            "done",
        ]

    async def test_a_resumed_run_doubles_no_turn(self, workspace: Workspace) -> None:
        workspace.ensemble("pair", local("analyst"), local("lawyer"))
        async with echoing(workspace, faults=[Fault(Status(400), contains="lawyer", times=1)]) as sandbox:
            await ask(workspace, "one", "pair")
            result = await resume_run(workspace.app(), ResumeOptions("last"))

        assert result.status == "completed"
        assert result.conversation == "taxes"
        assert len(sandbox.requests) == 3
        turns = get_conversation(workspace.app(), "taxes").turns
        assert sorted((t.agent, t.role, t.state) for t in turns) == [
            ("analyst", "assistant", "done"),
            ("analyst", "user", "done"),
            ("lawyer", "assistant", "done"),
            ("lawyer", "user", "done"),
        ]

    async def test_two_runs_at_once_speak_one_after_the_other(self, workspace: Workspace) -> None:
        workspace.ensemble("solo", local("analyst"))
        waits: list[str] = []

        async def one(task: str) -> None:
            app = workspace.app()
            options = RunOptions(task, conversation=TAXES)
            await run_ensemble(app, find_ensemble(app, "solo"), options, RunListener(waiting=waits.append))

        async with echoing(workspace, faults=[Fault(Delay(0.1))]) as sandbox:
            await asyncio.gather(*(one(f"q{n}") for n in range(4)))

        assert len(waits) == 3
        assert "taxes" in waits[0]
        last = max((told(r) for r in sandbox.requests), key=len)
        questions = [text for role, text in last if role == "user"]
        assert sorted(questions) == ["q0", "q1", "q2", "q3"]
        assert [told(r) for r in sandbox.requests] == [said(*questions[: n + 1]) for n in range(4)]


def filled(app: App, exchanges: int, words: int = 40) -> None:
    """Put so many exchanges of this many words each into the conversation."""
    with conversations(app) as store:
        taxes = store.begin("taxes", "solo", None, 1.0)
        for n in range(exchanges):
            store.add(taxes, "analyst", "user", f"question-{n} " + "word " * (words // 2), 1.0)
            store.add(taxes, "analyst", "assistant", f"answer-{n} " + "word " * (words // 2), 1.0)


@pytest.mark.parametrize(
    ("provider", "key"),
    [
        ("openai-compatible", ""),
        ("anthropic-api", "ANTHROPIC_API_KEY"),
        ("openai", "OPENAI_API_KEY"),
        ("google-gemini", "GEMINI_API_KEY"),
    ],
)
class TestWhenItNoLongerFits:
    @pytest.fixture(autouse=True)
    def ensemble(self, workspace: Workspace, provider: str, key: str) -> None:
        workspace.environ |= {key: KEY} if key else {}
        workspace.ensemble("solo", local("analyst", provider=provider))

    async def test_a_run_says_so_and_changes_nothing(self, workspace: Workspace) -> None:
        async with echoing(workspace, context_window=300):
            filled(workspace.app(), 10)
            result = await ask(workspace, "and now?")

        error = result["analyst"].error
        assert error is not None
        assert (error.code, result.exit_code) == ("conversation_full", 5)
        assert "`taxes` no longer fits: agent `analyst` has 20 turns in it" in error.message
        assert "--when-full truncate-oldest" in (error.hint or "")
        assert len(get_conversation(workspace.app(), "taxes").turns) == 21

    async def test_the_oldest_turns_are_left_out_where_that_was_asked_for(self, workspace: Workspace) -> None:
        async with echoing(workspace, context_window=340) as sandbox:
            filled(workspace.app(), 10)
            result = await ask(workspace, "and now?", conversation=replace(TAXES, when_full="truncate-oldest"))
            await ask(workspace, "and then?")

        assert result.status == "completed"
        first, second = sandbox.requests[-2:]
        kept = [m.content.split()[0] for m in first.messages]
        assert kept[-3:] == ["question-9", "answer-9", "and"]
        assert first.messages[0].role == "user"
        assert second.messages[: len(first.messages)] == first.messages
        assert len(get_conversation(workspace.app(), "taxes").turns) == 24
        assert "no longer receives the oldest" in result["analyst"].notices[0]

    async def test_a_summary_stands_in_for_them_where_that_was_asked_for(self, workspace: Workspace) -> None:
        async with echoing(workspace, context_window=300) as sandbox:
            filled(workspace.app(), 8)
            result = await ask(workspace, "and now?", conversation=replace(TAXES, when_full="summarise"))
            await ask(workspace, "and then?")

        assert result.status == "completed"
        asking, answering, after = sandbox.requests[-3:]
        assert "Summarise our conversation" in asking.messages[-1].content
        summary = answering.messages[0].content
        assert summary.startswith("A summary of our conversation so far:")
        assert after.messages[0].content == summary
        assert "receives a summary" in result["analyst"].notices[0]
        spent = result["analyst"].usage.input_tokens or 0
        assert spent > sum(len(m.content.split()) for m in answering.messages), "the summary's call counts too"
