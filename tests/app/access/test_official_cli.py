"""Runs over the user's own `claude`: who pays, what takes over when it fails, and that a stray key never wins."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_orc.app.conversations.chat import Chat, ChatOptions
from llm_orc.app.conversations.partner import Partner
from llm_orc.app.diagnostics.check import check_ensemble
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.request import RunListener
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.engine.events import ModelSwitched
from llm_orc.errors import AccessNotSupported, AuthError, LlmOrcError, NotLoggedIn, SettingsError
from llm_orc.sandbox.faults import Fault, RefusalSignature
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.app.access.test_stored_access import sign_in
from tests.app.conftest import Workspace, on_sandbox, run
from tests.fakes.claude import LOGGED_OUT, StandIn, install

PRO_MAX = "anthropic-claude-pro-max"
MARKER = "sk-marker-99817"


@pytest.fixture
def claude(tmp_path: Path) -> StandIn:
    return install(tmp_path / "stand-in")


def agents(workspace: Workspace, *names: str, **more: object) -> None:
    workspace.ensemble(
        "plan", *({"name": name, "model": PRO_MAX, "system_prompt": f"You are {name}.", **more} for name in names)
    )


def set_up(workspace: Workspace, claude: StandIn, sandbox: Sandbox, **of_plan: object) -> None:
    """A machine with `claude`, and with an API key in the environment that nobody chose."""
    given = on_sandbox(sandbox)
    if of_plan:
        given["providers"][PRO_MAX] = of_plan  # type: ignore[index]
    workspace.settings(given)
    workspace.environ = {"PATH": claude.path, "ANTHROPIC_API_KEY": MARKER}


async def test_a_logged_in_claude_answers_without_any_set_up_and_the_plan_pays(
    workspace: Workspace, claude: StandIn, sandbox: Sandbox
) -> None:
    set_up(workspace, claude, sandbox)
    agents(workspace, "lawyer", "analyst")

    result, seen = await run(workspace.app(), "plan")

    assert result.status == "completed"
    assert {access.access.method for access in seen.plans[0].agents} == {"claude-cli"}
    assert result.by_billing.keys() == {"subscription"}
    assert sorted(start["system_prompt"] for start in claude.starts) == ["You are analyst.", "You are lawyer."]
    assert sandbox.request_count == 0


async def test_a_limit_of_tokens_that_an_official_cli_cannot_keep_is_refused_and_one_of_calls_is_kept(
    workspace: Workspace, claude: StandIn, sandbox: Sandbox
) -> None:
    set_up(workspace, claude, sandbox)
    agents(workspace, "lawyer", "analyst")

    with pytest.raises(SettingsError, match=r"so `--max-total-tokens` can't be kept: .* is an official CLI") as no:
        await run(workspace.app(), "plan", max_total_tokens=100_000)
    result, _ = await run(workspace.app(), "plan", max_calls=1)

    assert no.value.hint == "Limit its calls: `--max-calls`."
    assert sorted(agent.status for agent in result.agents) == ["completed", "failed"]
    assert len(claude.starts) == 1


async def test_an_agent_with_tools_is_refused_before_anything_is_asked(
    workspace: Workspace, claude: StandIn, sandbox: Sandbox
) -> None:
    set_up(workspace, claude, sandbox)
    agents(workspace, "reader", tools=["files.read"])

    with pytest.raises(AccessNotSupported, match="can't call the tools of an agent") as caught:
        await run(workspace.app(), "plan")
    report = await check_ensemble(workspace.app(), "plan")

    assert "`reader`" in caught.value.message
    assert isinstance(report.access_error, AccessNotSupported)
    assert claude.starts == []


async def test_an_agent_with_tools_takes_the_way_that_can_call_them(
    workspace: Workspace, claude: StandIn, sandbox: Sandbox
) -> None:
    set_up(workspace, claude, sandbox, auth_method=["claude-cli", "api-key"])
    agents(workspace, "reader", tools=["files.read"])

    result, seen = await run(workspace.app(), "plan")

    assert result.by_billing.keys() == {"metered"}
    assert claude.starts == []
    assert any("can't call the tools" in notice for notice in seen.plans[0].notices)


async def test_a_stray_key_is_not_used_and_that_is_said_once(
    workspace: Workspace, claude: StandIn, sandbox: Sandbox
) -> None:
    set_up(workspace, claude, sandbox)
    agents(workspace, "lawyer", "analyst")

    _, seen = await run(workspace.app(), "plan")

    said = [notice for notice in seen.plans[0].notices if "ANTHROPIC_API_KEY" in notice]
    assert len(said) == 1
    assert "is not used" in said[0]
    assert MARKER not in str(claude.seen)


async def test_a_claude_that_is_logged_out_ends_the_run_before_it_begins(
    workspace: Workspace, claude: StandIn, sandbox: Sandbox
) -> None:
    set_up(workspace, claude, sandbox)
    claude.set_up(status=LOGGED_OUT)
    agents(workspace, "lawyer")

    with pytest.raises(NotLoggedIn, match="`claude` is not logged in") as caught:
        await run(workspace.app(), "plan")

    assert caught.value.hint == "claude auth login"
    assert caught.value.exit_code == 4
    assert sandbox.request_count == 0


@pytest.mark.parametrize("do", ["logged-out", "limit", "forbidden", "on-hold"])
async def test_a_way_that_the_user_allowed_takes_over_in_the_same_run(
    workspace: Workspace, claude: StandIn, sandbox: Sandbox, do: str
) -> None:
    set_up(workspace, claude, sandbox, auth_method=["claude-cli", "api-key"])
    claude.set_up(do=do)
    agents(workspace, "one", "two", "three")

    result, seen = await run(workspace.app(), "plan")

    assert result.status == "completed"
    assert result.by_billing.keys() == {"metered"}
    switched = [event for event in seen.events if isinstance(event, ModelSwitched)]
    assert [(s.access.provider, s.access.method) for s in switched] == [("anthropic-api", "api-key")] * 3
    assert len(claude.starts) == 1  # what has shown itself closed is not asked again
    assert [request.system_prompt for request in sandbox.requests] == [
        "You are one.",
        "You are two.",
        "You are three.",
    ]


@pytest.mark.parametrize("of_plan", [{}, {"auth_method": "claude-cli"}, {"auth_method": ["claude-cli", "oauth"]}])
async def test_no_key_takes_over_that_nobody_allowed(
    workspace: Workspace, claude: StandIn, sandbox: Sandbox, of_plan: dict[str, object]
) -> None:
    set_up(workspace, claude, sandbox, **of_plan)
    claude.set_up(do="limit")
    agents(workspace, "one")

    result, _ = await run(workspace.app(), "plan")

    assert result.status == "failed"
    assert sandbox.request_count == 0


@pytest.mark.parametrize("allowed_by", ["setting", "option"])
async def test_a_metered_fallback_that_was_allowed_is_taken_last(
    workspace: Workspace, claude: StandIn, sandbox: Sandbox, allowed_by: str
) -> None:
    of_plan = {"allow_metered_fallback": True} if allowed_by == "setting" else {}
    set_up(workspace, claude, sandbox, **of_plan)
    claude.set_up(do="limit")
    agents(workspace, "one")

    result, _ = await run(workspace.app(), "plan", allow_metered=allowed_by == "option")

    assert result.status == "completed"
    assert result.by_billing.keys() == {"metered"}


@pytest.mark.parametrize("do", ["bad-request", "refuse"])
async def test_what_another_way_cannot_cure_does_not_fall_through(
    workspace: Workspace, claude: StandIn, sandbox: Sandbox, do: str
) -> None:
    set_up(workspace, claude, sandbox, auth_method=["claude-cli", "api-key"])
    claude.set_up(do=do)
    agents(workspace, "one")

    result, _ = await run(workspace.app(), "plan")

    assert result.status == "failed"
    assert sandbox.request_count == 0


async def test_an_agent_can_name_its_way(workspace: Workspace, claude: StandIn, sandbox: Sandbox) -> None:
    set_up(workspace, claude, sandbox)
    agents(workspace, "one", auth_method="api-key")

    result, seen = await run(workspace.app(), "plan")

    assert result.by_billing.keys() == {"metered"}
    assert seen.plans[0].agents[0].why == "the agent names it"
    assert claude.starts == []


async def test_a_sign_in_that_the_provider_refuses_falls_to_the_program(
    workspace: Workspace, claude: StandIn
) -> None:
    server = OAuthServer()
    refusing = Fault(RefusalSignature("claude_code_only"))
    async with Sandbox(oauth=server, require_token=True, faults=[refusing]) as sandbox:
        sign_in(workspace, sandbox, server)
        workspace.environ = {"PATH": claude.path, "ANTHROPIC_API_KEY": MARKER}
        agents(workspace, "one", "two")
        result, seen = await run(workspace.app(), "plan")
        again, after = await run(workspace.app(), "plan")

    assert (result.status, again.status) == ("completed", "completed")
    assert [plan.access.method for plan in seen.plans[0].agents] == ["oauth", "oauth"]
    assert result["one"].access is not None
    assert result["one"].access.method == "claude-cli"
    # Remembered for that sign-in: the next run goes straight to the program, and says why.
    assert [plan.access.method for plan in after.plans[0].agents] == ["claude-cli", "claude-cli"]
    assert any("refused this sign-in" in notice for notice in after.plans[0].notices)
    assert {request.headers.get("x-api-key") for request in sandbox.requests} == {None}


async def test_with_nothing_left_each_cause_is_told(workspace: Workspace, claude: StandIn) -> None:
    server = OAuthServer()
    async with Sandbox(
        oauth=server, require_token=True, faults=[Fault(RefusalSignature("claude_code_only"))]
    ) as box:
        sign_in(workspace, box, server)
        workspace.environ = {"PATH": claude.path, "ANTHROPIC_API_KEY": MARKER}
        claude.set_up(do="logged-out")
        agents(workspace, "one")
        result, _ = await run(workspace.app(), "plan")

    error = result["one"].error
    assert error is not None
    assert "refuses this auth method" in error.message
    assert "`claude` is not logged in" in error.message
    assert error.exit_code == 4


async def test_a_program_that_is_gone_and_a_sign_in_that_was_refused_are_both_told_before_the_run(
    workspace: Workspace, claude: StandIn
) -> None:
    server = OAuthServer()
    async with Sandbox(
        oauth=server, require_token=True, faults=[Fault(RefusalSignature("claude_code_only"))]
    ) as box:
        sign_in(workspace, box, server)
        workspace.environ = {"PATH": claude.path}
        agents(workspace, "one")
        await run(workspace.app(), "plan")
        workspace.environ = {}
        with pytest.raises(AuthError) as caught:
            await run(workspace.app(), "plan")

    assert caught.value.exit_code == 4
    assert len(caught.value.message.splitlines()) == 2
    assert "`claude` is not installed" in caught.value.message


@pytest.mark.parametrize(("named", "is_said"), [((), False), (("oauth", "claude-cli"), True)])
async def test_a_program_that_is_not_there_is_missed_by_those_alone_who_named_it(
    workspace: Workspace, named: tuple[str, ...], is_said: bool
) -> None:
    server = OAuthServer()
    async with Sandbox(oauth=server, require_token=True) as box:
        sign_in(workspace, box, server, auth_method=named)
        workspace.environ = {}
        agents(workspace, "one")
        result, seen = await run(workspace.app(), "plan")

    assert result.status == "completed"
    assert any("is not installed" in notice for notice in seen.plans[0].notices) is is_said


async def test_a_missing_program_is_no_reason_to_bill(workspace: Workspace, sandbox: Sandbox) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.environ = {"ANTHROPIC_API_KEY": MARKER}
    agents(workspace, "one")

    with pytest.raises(AccessNotSupported):
        await run(workspace.app(), "plan")
    assert sandbox.request_count == 0


KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")
MOVES = ("ANTHROPIC_BASE_URL", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "ANTHROPIC_CUSTOM_HEADERS")
METHODS = (None, "claude-cli", ["claude-cli", "oauth"], ["claude-cli", "api-key"], ["api-key"])


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    poison=st.sets(st.sampled_from(KEYS + MOVES)),
    method=st.sampled_from(METHODS),
    fallback=st.booleans(),
    do=st.sampled_from(["answer", "limit", "logged-out", "forbidden", "crash", "nothing"]),
    status=st.sampled_from([None, LOGGED_OUT]),
    dotenv=st.booleans(),
)
async def test_a_poisoned_environment_is_never_on_the_wire_unless_chosen(
    tmp_path_factory: pytest.TempPathFactory,
    poison: set[str],
    method: object,
    fallback: bool,
    do: str,
    status: dict[str, object] | None,
    dotenv: bool,
) -> None:
    root = tmp_path_factory.mktemp("poison")
    workspace, claude = Workspace(root / "user"), install(root / "stand-in")
    claude.set_up(do=do, status=status)
    async with Sandbox() as sandbox:
        of_plan: dict[str, object] = {"allow_metered_fallback": fallback}
        set_up(workspace, claude, sandbox, **(of_plan if method is None else {**of_plan, "auth_method": method}))
        workspace.environ = {"PATH": claude.path, **dict.fromkeys(poison, MARKER)}
        if dotenv:
            workspace.write("work/project/.env", f"ANTHROPIC_API_KEY={MARKER}\n")
        agents(workspace, "one")
        app = workspace.app()
        shown: list[object] = []
        try:
            await run_ensemble(
                app, find_ensemble(app, "plan"), RunOptions("task", record=False), RunListener(shown.append)
            )
        except LlmOrcError as error:
            shown.append(error.message)

    is_chosen = fallback or method in (["claude-cli", "api-key"], ["api-key"])
    sent = [dict(request.headers) for request in sandbox.requests]
    if not is_chosen:
        assert sent == []
    assert MARKER not in str(claude.seen)
    assert MARKER not in str(shown)
    assert "ANTHROPIC_API_KEY" in poison or MARKER not in str(sent)


async def test_a_chat_keeps_one_process_and_the_next_one_is_told_in_its_prompt(
    workspace: Workspace, claude: StandIn, sandbox: Sandbox
) -> None:
    set_up(workspace, claude, sandbox)
    agents(workspace, "lawyer")
    app = workspace.app()

    async def chat(*questions: str) -> None:
        async with Chat(app, Partner(find_ensemble(app, "plan")), ChatOptions("long")) as talking:
            for question in questions:
                result = await talking.say(question, show=lambda _event: None, waiting=lambda _sentence: None)
                assert result.status == "completed"

    await chat("one", "two", "three")
    assert len(claude.starts) == 1
    assert claude.prompts == ["one", "two", "three"]

    await chat("four")
    assert len(claude.starts) == 2
    told = claude.prompts[-1]
    assert [told.index(f"\n{word}\n") for word in ("one", "two", "three")] == sorted(
        told.index(f"\n{word}\n") for word in ("one", "two", "three")
    )
    assert "answer 3 to three" in told
    assert told.endswith("\nfour")
