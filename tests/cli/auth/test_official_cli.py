"""The official CLIs on the command line: set up, preferred, explained, proven."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.fakes.claude import LOGGED_OUT, StandIn, install

PRO_MAX = "anthropic-claude-pro-max"
PLAN = f"""\
name: plan
agents:
  - name: lawyer
    model: {PRO_MAX}
  - name: analyst
    model: {PRO_MAX}
"""


@pytest.fixture
def claude(bare: Shell, tmp_path: Path) -> StandIn:
    stand_in = install(tmp_path / "stand-in")
    bare.environ["PATH"] = stand_in.path
    bare.environ["ANTHROPIC_API_KEY"] = "sk-marker-5530"
    bare.own_ensemble("plan", PLAN)
    return stand_in


def test_it_is_set_up_with_one_command_that_says_what_it_found(bare: Shell, claude: StandIn) -> None:
    done = bare.run("auth", "add", PRO_MAX, "--method", "claude-cli", "--json")

    assert done.returncode == 0
    added = json.loads(done.stdout)
    assert (added["method"], added["billing"], added["plan"]) == ("claude-cli", "subscription", "max")
    assert "2.1.330, Max plan" in done.stderr
    assert f"llm-orc auth test {PRO_MAX}" in done.stderr
    assert "auth_method: [claude-cli]" in bare.config.read_text()


def test_logged_out_and_missing_programs_say_the_next_command(bare: Shell, claude: StandIn) -> None:
    claude.set_up(status=LOGGED_OUT)
    logged_out = bare.run("auth", "add", PRO_MAX, "--method", "claude-cli")
    bare.environ["PATH"] = "/nowhere"
    missing = bare.run("auth", "add", PRO_MAX, "--method", "claude-cli")

    assert (logged_out.returncode, missing.returncode) == (4, 4)
    assert "hint: claude auth login" in logged_out.stderr
    assert "npm install -g @anthropic-ai/claude-code" in missing.stderr
    assert not bare.config.exists()


def test_without_a_terminal_the_ways_are_named_the_supported_one_first(bare: Shell, claude: StandIn) -> None:
    done = bare.run("auth", "add", PRO_MAX)

    assert done.returncode == 2
    ways = [line.split()[1] for line in done.stderr.splitlines() if line.startswith("  --method")]
    assert ways == ["claude-cli:", "oauth:", "api-key:"]


@pytest.mark.skipif(sys.platform == "win32", reason="pexpect drives Unix terminals only")
async def test_a_person_is_offered_the_vendor_s_own_sign_in(bare: Shell, claude: StandIn) -> None:
    from tests.cli.terminal import Terminal

    claude.set_up(status=LOGGED_OUT)
    terminal = Terminal(bare, "auth", "add", PRO_MAX, "--method", "claude-cli")
    await asyncio.to_thread(terminal.process.expect, "claude auth login")
    terminal.process.sendline("n")
    await asyncio.to_thread(terminal.to_the_end)

    assert terminal.process.exitstatus == 4


def test_status_shows_it_as_seen_and_not_proven(bare: Shell, claude: StandIn) -> None:
    found = json.loads(bare.run("auth", "status", PRO_MAX, "--json").stdout)["credentials"]

    assert [(row["method"], row["state"], row["billing"]) for row in found] == [
        ("claude-cli", "unverified", "subscription")
    ]
    assert found[0]["is_used"]


def test_a_real_call_proves_it(bare: Shell, claude: StandIn) -> None:
    done = bare.run("auth", "test", PRO_MAX, "--json")

    assert json.loads(done.stdout)["access"]["method"] == "claude-cli"
    assert claude.prompts == ["Answer with one word: yes."]


def test_a_preference_keeps_what_its_user_wrote_around_it(bare: Shell, claude: StandIn) -> None:
    bare.config.parent.mkdir(parents=True, exist_ok=True)
    bare.config.write_text(
        f"# mine\nproviders:\n  # the plan\n  {PRO_MAX}:\n    default_model: opus  # big\nruns: {{record: true}}\n"
    )
    done = bare.run("auth", "prefer", PRO_MAX, "claude-cli", "api-key", "--json")

    assert done.returncode == 0
    assert json.loads(done.stdout)["methods"][1] == {"method": "api-key", "billing": "metered"}
    text = bare.config.read_text()
    assert "# mine\n" in text
    assert "# the plan\n" in text
    assert "default_model: opus  # big\n" in text
    assert "auth_method: [claude-cli, api-key]" in text
    assert "runs: {record: true}" in text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((PRO_MAX, "claude-cli", "oauth"), 2, "--acknowledge-terms"),
        (("openai", "claude-cli"), 4, "has no `claude-cli`"),
        ((PRO_MAX, "claude-cli", "claude-cli"), 2, "named twice"),
        ((PRO_MAX,), 2, "missing argument"),
        ((PRO_MAX, "claude-cli", "--project"), 3, "llm-orc"),
    ],
)
def test_what_cannot_be_preferred_changes_nothing(
    bare: Shell, claude: StandIn, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    bare.cwd = tmp_path
    done = bare.run("auth", "prefer", *arguments)

    assert done.returncode == code
    assert words in done.stderr
    assert not bare.config.exists()


def test_a_broken_configuration_is_left_as_it_is(bare: Shell, claude: StandIn) -> None:
    bare.config.parent.mkdir(parents=True, exist_ok=True)
    bare.config.write_text("providers: [unclosed\n")
    done = bare.run("auth", "prefer", PRO_MAX, "claude-cli")

    assert done.returncode == 3
    assert bare.config.read_text() == "providers: [unclosed\n"


def test_explain_says_for_every_agent_what_it_uses_and_why(bare: Shell, claude: StandIn) -> None:
    bare.run("auth", "prefer", PRO_MAX, "claude-cli", "api-key")
    told = bare.run("explain", "plan")
    value = json.loads(bare.run("explain", "plan", "--json").stdout)

    assert told.returncode == 0
    assert "lawyer, analyst" in told.stdout  # the same decision stands once
    assert "puts it first" in told.stdout
    assert "then     anthropic-api" in told.stdout
    assert [agent["access"]["billing"] for agent in value["agents"]] == ["subscription", "subscription"]
    assert value["agents"][0]["considered"][1]["method"] == "api-key"
    assert claude.prompts == []


def test_explain_says_why_a_way_is_not_taken(bare: Shell, claude: StandIn) -> None:
    bare.run("auth", "prefer", PRO_MAX, "claude-cli", "api-key")
    claude.set_up(status=LOGGED_OUT)
    told = bare.run("explain", "plan")

    assert "not      anthropic-claude-pro-max claude-cli: `claude` is not logged in" in told.stdout
    assert "metered: billed per token" in told.stdout


def test_explain_ends_as_a_run_would_where_nothing_works(bare: Shell, claude: StandIn) -> None:
    claude.set_up(status=LOGGED_OUT)
    told = bare.run("explain", "plan")

    assert told.returncode == 4
    assert "`claude` is not logged in" in told.stderr


def test_setup_offers_the_plan_before_a_key_that_is_merely_there(bare: Shell, claude: StandIn) -> None:
    found = json.loads(bare.run("setup", "--json").stdout)["found"]

    names = [one["provider"] for one in found if one["provider"] in {PRO_MAX, "anthropic-api"}]
    assert names == [PRO_MAX, "anthropic-api"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_stopped_run_leaves_no_process_of_the_program(
    bare: Shell, claude: StandIn, number: signal.Signals, code: int
) -> None:
    claude.set_up(do="hang")
    with bare.started("invoke", "plan", "--input", "x") as process:
        end = time.monotonic() + 20
        while not claude.prompts and time.monotonic() < end:
            time.sleep(0.02)
        groups = {one["pid"] for one in claude.starts}
        process.send_signal(number)
        process.communicate(timeout=20)

    assert process.returncode == code
    assert groups
    assert [group for group in groups if not _is_gone(group)] == []


def _is_gone(group: int) -> bool:
    """Orphans that were killed stay until init has noticed, so look for a while."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_a_profile_that_an_account_pays_for_is_named_before_anything_is_sent(bare: Shell, claude: StandIn) -> None:
    profile = bare.home / ".config" / "anthropic" / "configs" / "work.json"
    profile.parent.mkdir(parents=True)
    profile.write_text('{"version": "1.0", "authentication": {"type": "oidc_federation"}}')
    (profile.parent.parent / "active_config").write_text("work")
    claude.set_up(status={"loggedIn": True, "authMethod": "oauth_token", "apiProvider": "firstParty"})

    run = bare.run("invoke", "plan", "--input", "x")
    explained = bare.run("explain", "plan")
    doctor = bare.run("doctor", "--json")

    assert (run.returncode, explained.returncode) == (4, 4)
    assert all(str(profile) in done.stdout + done.stderr for done in (run, explained, doctor))
    assert claude.starts == []


def test_an_apps_gateway_is_named_by_every_view_and_nothing_is_sent(bare: Shell, claude: StandIn) -> None:
    claude.set_up(status={"loggedIn": True, "authMethod": "claude.ai", "apiProvider": "gateway"})

    views = [bare.run(*words) for words in (("invoke", "plan", "--input", "x"), ("auth", "status", PRO_MAX))]
    doctor = bare.run("doctor", "--offline", "--json")

    assert [done.returncode for done in views] == [4, 4]
    assert all("an apps gateway, which its operator pays for" in done.stdout + done.stderr for done in views)
    assert "an apps gateway" in doctor.stdout
    assert claude.starts == []


def test_what_was_added_is_listed_and_logout_names_the_program_s_own(bare: Shell, claude: StandIn) -> None:
    bare.run("auth", "add", PRO_MAX, "--method", "claude-cli")

    listed = json.loads(bare.run("auth", "list", "--json").stdout)
    out = bare.run("auth", "logout", PRO_MAX)

    [row] = [c for c in listed if c["provider"] == PRO_MAX]
    assert (row["method"], row["state"], row["is_used"]) == ("claude-cli", "unverified", True)
    assert out.returncode == 4
    assert "belongs to that program" in out.stderr
    assert "hint: claude auth logout" in out.stderr
