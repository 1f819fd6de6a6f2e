"""Who pays for a program: the plan where its login proves it, else nobody knows, and nothing is run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.catalog.table import OFFICIAL_CLIS
from llm_orc.errors import LlmOrcError, MeteredNotAllowed, NotLoggedIn
from llm_orc.providers.base import Message, ModelRequest
from llm_orc.providers.official_cli.claude.managed import managed_token
from llm_orc.providers.official_cli.official import OfficialClis, driver_of
from llm_orc.providers.official_cli.state import Told
from tests.fakes.claude import StandIn
from tests.fakes.codex import install

PLAN: dict[str, object] = {"loggedIn": True, "authMethod": "claude.ai", "apiProvider": "firstParty"}
TOKEN: dict[str, object] = {"loggedIn": True, "authMethod": "oauth_token", "apiProvider": "firstParty"}

CLAUDE, CODEX = driver_of(OFFICIAL_CLIS["claude-cli"]), driver_of(OFFICIAL_CLIS["codex-cli"])


def profile(home: Path, kind: object, *, name: str = "work", folder: str = ".config/anthropic") -> Path:
    """Make a profile of Anthropic's other programs the active one; returns its file."""
    file = home / folder / "configs" / f"{name}.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"version": "1.0", "authentication": {"type": kind}}))
    if name != "default":
        (home / folder / "active_config").write_text(f"{name}\n")
    return file


def claude_login(status: object, env: dict[str, str]) -> str:
    return CLAUDE.standing(Told(0, json.dumps(status), ""), env).login


# --- claude ---


@pytest.mark.parametrize("kind", ["oidc_federation", "user_oauth", "a_kind_of_tomorrow", 7])
@pytest.mark.parametrize("name", ["work", "default"])
@pytest.mark.parametrize("status", [TOKEN, PLAN, {"loggedIn": False, "authMethod": "none"}])
async def test_an_active_profile_is_no_plan_and_its_file_is_named(
    claude: StandIn, tmp_path: Path, kind: object, name: str, status: dict[str, object]
) -> None:
    file = profile(tmp_path, kind, name=name)
    claude.set_up(status=status)
    async with OfficialClis({"PATH": claude.path, "HOME": str(tmp_path)}) as clis:
        state = await clis.look("claude-cli")

    assert isinstance(state.problem, MeteredNotAllowed)
    assert str(file) in state.problem.message
    assert state.problem.exit_code == 4


def test_a_stored_plan_login_and_a_token_of_the_environment_stay_proven_beside_a_profile(tmp_path: Path) -> None:
    profile(tmp_path, "user_oauth")
    env = {"HOME": str(tmp_path)}

    assert claude_login({**PLAN, "storedClaudeAiLogin": True}, env) == "plan"
    assert claude_login(TOKEN, {**env, "CLAUDE_CODE_OAUTH_TOKEN": "t"}) == "token"
    assert claude_login(TOKEN, {**env, "CLAUDE_CODE_OAUTH_TOKEN": " "}) == "metered"


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"apiProvider": "gateway"}, "gateway"),
        ({"apiProvider": "gateway", "loggedIn": False, "authMethod": "none"}, "gateway"),
        ({"organizationSignInOrgId": "org-1"}, "organization"),
    ],
)
@pytest.mark.parametrize("status", [{**PLAN, "storedClaudeAiLogin": True, "subscriptionType": "max"}, TOKEN])
async def test_a_gateway_and_an_organization_stand_above_a_plan_and_are_named(
    claude: StandIn, tmp_path: Path, status: dict[str, object], more: dict[str, object], word: str
) -> None:
    claude.set_up(status={**status, **more})
    environ = {"PATH": claude.path, "HOME": str(tmp_path), "CLAUDE_CODE_OAUTH_TOKEN": "t"}
    async with OfficialClis(environ) as clis:
        state = await clis.look("claude-cli")

    assert isinstance(state.problem, MeteredNotAllowed)
    assert word in state.problem.message
    assert (state.login, claude.starts) == ("metered", [])


def test_a_profile_is_found_where_the_environment_says_and_a_broken_one_is_no_proof(tmp_path: Path) -> None:
    profile(tmp_path, "user_oauth", folder="xdg/anthropic")
    broken = tmp_path / "broken" / ".config" / "anthropic" / "active_config"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"\xff\xfe")

    assert claude_login(PLAN, {"HOME": str(tmp_path)}) == "plan"
    assert claude_login(PLAN, {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}) == "metered"
    assert claude_login(PLAN, {"HOME": str(tmp_path / "broken")}) == "metered"


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        ('{"env": {"ANTHROPIC_AUTH_TOKEN": "t"}}', True),
        ("{broken", True),
        ('{"env": {"ANTHROPIC_AUTH_TOKEN": ""}, "permissions": {}}', False),
        ("[]", False),
    ],
)
@pytest.mark.parametrize("name", ["managed-settings.json", "managed-settings.d/10-all.json"])
def test_a_token_of_managed_settings_is_told_from_that_of_the_environment(
    tmp_path: Path, name: str, text: str, is_named: bool
) -> None:
    assert managed_token(tmp_path) is None
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)

    assert managed_token(tmp_path) == (file if is_named else None)


async def test_the_program_is_shown_no_profile_at_all(clis: OfficialClis, claude: StandIn) -> None:
    asked = clis.model(await clis.look("claude-cli"), None, provider="claude-cli")
    await asked.reply(ModelRequest((Message("user", "hello"),)))

    [start] = claude.starts
    assert Path(start["environ"]["ANTHROPIC_CONFIG_DIR"]).name == "no-profiles"


odd: st.SearchStrategy[object] = st.sampled_from(
    [None, True, False, "", "claude.ai", "oauth_token", "api_key", "third_party", "firstParty", 1, []]
)


@given(
    status=st.dictionaries(
        st.sampled_from(["loggedIn", "authMethod", "apiProvider", "storedClaudeAiLogin", "subscriptionType"]), odd
    ),
    token=st.sampled_from([None, "", " ", "sk-ant-oat01-x"]),
)
def test_whatever_the_status_says_only_two_origins_are_a_plan(
    status: dict[str, object], token: str | None
) -> None:
    env = {} if token is None else {"CLAUDE_CODE_OAUTH_TOKEN": token}
    login = claude_login(status, env)

    is_first_party = status.get("loggedIn") is True and status.get("apiProvider") == "firstParty"
    method = status.get("authMethod") if is_first_party else None
    assert (login == "plan") is (method == "claude.ai")
    assert (login == "token") is (method == "oauth_token" and bool((token or "").strip()))


@pytest.mark.parametrize(
    "said", ["", "logged in with claude.ai", "[]", '"claude.ai"', "{broken", '{"loggedIn": "yes"}']
)
async def test_a_status_that_cannot_be_read_is_no_plan(said: str) -> None:
    assert CLAUDE.standing(Told(0, said, ""), {}).login == "unknown"


# --- codex ---


@pytest.mark.parametrize(
    ("said", "code", "login"),
    [
        ("Logged in using ChatGPT", 0, "plan"),
        ("WARNING: could not update PATH\n Logged in using ChatGPT \r\n", 0, "plan"),
        ("Logged in using ChatGPT", 1, "unknown"),
        ("Logged in using an API key - sk-proj-***ABCDE", 0, "metered"),
        ("API key configured - sk-proj-***\nAuthentication is checked when you send a request.", 0, "metered"),
        ("Logged in using ChatGPT\nLogged in using an API key - sk", 0, "metered"),
        ("Not logged in", 1, "none"),
        ("Not logged in. Use ChatGPT to log in: https://chatgpt.com", 1, "unknown"),
        ("Logged in using an access token of chatgpt.example.com", 0, "unknown"),
        ("Logged in using ChatGPT Enterprise gateway", 0, "unknown"),
        ("logged in using chatgpt", 0, "unknown"),
        ("chatgpt", 0, "unknown"),
        ("", 0, "unknown"),
    ],
)
def test_only_the_exact_line_of_codex_proves_a_plan(said: str, code: int, login: str) -> None:
    for told in (Told(code, said, ""), Told(code, "", said)):
        assert CODEX.standing(told, {}).login == login


@pytest.mark.parametrize(
    ("said", "error"),
    [("Logged in using something with chatgpt in it", MeteredNotAllowed), ("Not logged in", NotLoggedIn)],
)
async def test_what_is_no_plan_ends_with_exit_code_4(tmp_path: Path, said: str, error: type[LlmOrcError]) -> None:
    home = install(tmp_path / "codex")
    (home / "status").write_text(said)
    async with OfficialClis({"PATH": str(home / "bin")}) as clis:
        state = await clis.look("codex-cli")

    assert type(state.problem) is error
    assert state.problem.exit_code == 4
    assert state.login not in {"plan", "token"}
