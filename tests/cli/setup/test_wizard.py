"""`llm-orc setup` as a person meets it: arrow keys, every branch, narrow and plain terminals, stopped at each step."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Shell, pretend_providers
from tests.cli.screen import Screen
from tests.cli.terminal import CONTROL, Terminal
from tests.fakes.claude import install

pexpect = pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")

DOWN = "\x1b[B"
WHICH = "Which one should agents use"
HOW = "How do you want to get access"


@pytest.fixture
def local(bare: Shell, pretend: str) -> Shell:
    """A machine with a local server, and without any settings of its person's."""
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text(
        f"# mine\nproviders:\n  openai-compatible: {{base_url: '{pretend}'}}\n  ollama: {{base_url: 'http://127.0.0.1:9'}}\n"
    )
    bare.environ["PATH"] = "/usr/bin:/bin"
    return bare


def settings(shell: Shell) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(shell.config.read_text())
    return found


def first_panel(shell: Shell) -> Path:
    return shell.config.parent / "ensembles" / "first-panel.yaml"


@pytest.mark.parametrize(("columns", "environ"), [(40, {}), (60, {"NO_COLOR": "1"}), (120, {})])
def test_from_nothing_to_a_first_answer(local: Shell, columns: int, environ: dict[str, str]) -> None:
    terminal = Terminal(local, "setup", columns=columns, **environ)
    terminal.process.expect(WHICH)
    terminal.process.send("\r")
    terminal.process.expect("Which model")
    terminal.process.send("\r")
    terminal.process.expect("answered in")
    terminal.process.expect("first ensemble")
    terminal.process.send("\r")
    seen = terminal.to_the_end()
    lines = Screen(columns, rows=200).feed(seen).splitlines()

    assert terminal.process.exitstatus == 0, seen
    assert "Next: llm-orc invoke first-panel" in CONTROL.sub("", seen)
    assert any(line.endswith("local: free ·") or "· local: free · http" in line for line in lines), lines
    assert any("canned-small · the default" in line for line in lines), lines
    assert settings(local)["model_profiles"] == {
        "default": {"provider": "openai-compatible", "model": "canned-small"}
    }
    assert local.config.read_text().startswith("# mine\n")
    if environ:
        assert not re.search(r"\x1b\[(?:[0-9;]*;)?3[0-9]m", terminal.seen)
    done = local.run("invoke", "first-panel")
    assert done.returncode == 0, done.stderr
    assert "canned answer" in done.stdout


@pytest.mark.parametrize("writes", [True, False])
def test_after_nothing_now_the_command_that_is_shown_works(bare: Shell, writes: bool) -> None:
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text("providers:\n  ollama: {base_url: 'http://127.0.0.1:9'}\n")
    bare.environ["PATH"] = "/usr/bin:/bin"
    terminal = Terminal(bare, "setup", columns=60)
    terminal.process.expect(WHICH)
    terminal.process.send(DOWN + "\r")
    terminal.process.expect("first ensemble")
    terminal.process.send("y\r" if writes else "n\r")
    seen = CONTROL.sub("", terminal.to_the_end())

    next_command = re.search(r"Next.*: llm-orc (.*?)\r?\n", seen)
    assert next_command is not None, seen
    done = bare.run(*next_command[1].split())
    assert done.returncode == 0, done.stderr


def test_everything_can_be_skipped(local: Shell) -> None:
    before = local.config.read_text()
    terminal = Terminal(local, "setup")
    terminal.process.expect(WHICH)
    terminal.process.send(DOWN * 2 + "\r")
    terminal.process.expect("first ensemble")
    terminal.process.send("n\r")
    terminal.to_the_end()

    assert terminal.process.exitstatus == 0
    assert local.config.read_text() == before
    assert not first_panel(local).exists()


def test_a_second_time_changes_nothing_and_asks_less(local: Shell) -> None:
    assert local.run("setup", "--yes").returncode == 0
    before = local.config.read_text()
    terminal = Terminal(local, "setup")
    terminal.process.expect(WHICH)
    terminal.process.send("\r")
    terminal.process.expect("Which model")
    terminal.process.send("\r")
    terminal.process.expect("already the default")
    seen = terminal.to_the_end()

    assert "first ensemble" not in seen
    assert local.config.read_text() == before


@pytest.mark.parametrize("step", [WHICH, "first ensemble"])
def test_stopped_at_any_step_nothing_is_half_written(local: Shell, step: str) -> None:
    before = local.config.read_text()
    terminal = Terminal(local, "setup")
    terminal.process.expect(WHICH)
    if step != WHICH:
        terminal.process.send("\r")
        terminal.process.expect("Which model")
        terminal.process.send("\r")
        terminal.process.expect(step)
    terminal.ctrl_c()
    seen = terminal.to_the_end()

    assert terminal.process.exitstatus == 130
    assert "Traceback" not in seen
    assert not first_panel(local).exists()
    if step == WHICH:
        assert local.config.read_text() == before
    else:
        assert "model_profiles" in settings(local)
    assert [p.name for p in local.config.parent.iterdir() if p.name.endswith(".tmp")] == []


@pytest.mark.parametrize(
    "way",
    [
        [(DOWN + "\r", HOW)],
        [(DOWN + "\r", HOW), ("\r", r"Anthropic API \("), ("\r", "not shown")],
        [(DOWN + "\r", HOW), (DOWN * 2 + "\r", "Claude Pro or Max")],
    ],
    ids=["groups", "key", "plans"],
)
def test_stopped_on_the_way_to_more_access_nothing_is_changed(local: Shell, way: list[tuple[str, str]]) -> None:
    before = local.config.read_text()
    terminal = Terminal(local, "setup")
    terminal.process.expect(WHICH)
    for keys, sign in way:
        terminal.process.send(keys)
        terminal.process.expect(sign)
    terminal.ctrl_c()
    seen = terminal.to_the_end()

    assert terminal.process.exitstatus == 130, seen
    assert "Traceback" not in seen
    assert local.config.read_text() == before
    assert not (local.config.parent / "credentials.json").exists()


def test_a_key_can_be_added_on_the_way(local: Shell, pretend: str) -> None:
    with local.config.open("a") as file:
        file.write(f"  openai: {{base_url: '{pretend}', dialect: openai-chat}}\n")
    terminal = Terminal(local, "setup")
    terminal.process.expect(WHICH)
    terminal.process.send(DOWN + "\r")  # another way
    terminal.process.expect(HOW)
    terminal.process.send("\r")  # a key
    terminal.process.expect(r"Anthropic API \(")
    terminal.process.send(DOWN + "\r")  # OpenAI
    terminal.process.expect("not shown")
    terminal.process.send("sk-canary-4711\r")
    terminal.process.expect("Added the API key")
    terminal.process.expect(WHICH)
    terminal.process.send(DOWN + "\r")  # the second one now: openai
    terminal.process.expect("Which model")
    terminal.process.send("\r")
    terminal.process.expect("Make a test call")
    terminal.process.send("y\r")
    terminal.process.expect("answered in")
    terminal.process.expect("first ensemble")
    terminal.process.send("n\r")
    seen = terminal.to_the_end()

    assert "sk-canary" not in seen
    assert settings(local)["model_profiles"] == {"default": {"provider": "openai", "model": "gpt-5.5"}}


def test_one_can_go_back(local: Shell) -> None:
    terminal = Terminal(local, "setup")
    terminal.process.expect(WHICH)
    terminal.process.send(DOWN + "\r")
    terminal.process.expect(HOW)
    terminal.process.send(DOWN * 60 + "\r")  # the last of all: nothing now
    terminal.process.expect(WHICH)
    terminal.process.send(DOWN * 2 + "\r")
    terminal.process.expect("first ensemble")
    terminal.process.send("n\r")
    terminal.to_the_end()

    assert terminal.process.exitstatus == 0


def test_a_plan_is_found_through_its_own_program(local: Shell, tmp_path: Path) -> None:
    claude = install(tmp_path / "stand-in")
    local.environ["PATH"] = claude.path
    terminal = Terminal(local, "setup", columns=100)
    terminal.process.expect(WHICH)
    terminal.process.send(DOWN + "\r")
    terminal.process.expect("Which model")
    terminal.process.send("\r")
    terminal.process.expect("answered in")
    terminal.process.expect("first ensemble")
    terminal.process.send("n\r")
    seen = CONTROL.sub("", terminal.to_the_end())

    assert "subscription: no extra cost" in seen
    default = settings(local)["model_profiles"]["default"]  # type: ignore[index]
    assert default == {"provider": "anthropic-claude-pro-max"}


def test_an_access_that_fails_is_no_default_without_a_yes(bare: Shell) -> None:
    with pretend_providers("--fault", "status=500") as base_url:
        bare.config.parent.mkdir(parents=True)
        bare.config.write_text(
            f"providers:\n  openai-compatible: {{base_url: '{base_url}'}}\n  ollama: {{base_url: 'http://127.0.0.1:9'}}\n"
        )
        terminal = Terminal(bare, "setup")
        terminal.process.expect(WHICH)
        terminal.process.send("\r")
        terminal.process.expect("Which model")
        terminal.process.send("\r")
        terminal.process.expect("Use it anyway")
        terminal.process.send("\r")
        terminal.process.expect(WHICH)
        terminal.process.send(DOWN * 2 + "\r")
        terminal.process.expect("first ensemble")
        terminal.process.send("n\r")
        terminal.to_the_end()

    assert "model_profiles" not in settings(bare)


@pytest.mark.parametrize("again", [True, False])
def test_a_refused_key_is_entered_again_or_forgotten(bare: Shell, again: bool) -> None:
    with pretend_providers("--fault", "status=401,times=1") as base_url:
        bare.config.parent.mkdir(parents=True)
        bare.config.write_text(
            f"providers:\n  openai: {{base_url: '{base_url}', dialect: openai-chat, default_model: m}}\n"
            "  ollama: {base_url: 'http://127.0.0.1:9'}\n"
        )
        bare.environ["PATH"] = "/usr/bin:/bin"
        bare.run("auth", "add", "openai", "--from-stdin", "--no-verify", stdin="sk-canary-refused-4711\n")
        terminal = Terminal(bare, "setup", columns=100)
        terminal.process.expect(WHICH)
        terminal.process.send("\r")
        terminal.process.expect("Which model")
        terminal.process.send("\r")
        terminal.process.expect("less than a cent")
        terminal.process.send("y\r")
        terminal.process.expect("It was refused. What do you want to do")
        terminal.process.send("\r" if again else DOWN + "\r")
        if again:
            terminal.process.expect("not shown")
            terminal.process.send("sk-canary-taken-4711\r")
            terminal.process.expect("answered in")
        else:
            terminal.process.expect("Deleted: the credential of `openai`")
            terminal.process.expect(WHICH)
            terminal.process.send(DOWN + "\r")
        terminal.process.expect("first ensemble")
        terminal.process.send("n\r")
        terminal.to_the_end()
    stored = json.loads(bare.run("auth", "list", "--json").stdout)

    assert [one["provider"] for one in stored if one["place"] == "store"] == (["openai"] if again else [])
    assert ("model_profiles" in settings(bare)) is again


@pytest.mark.parametrize("columns", [60, 80])
def test_menus_never_cut_who_pays_or_what_is_supported(local: Shell, columns: int) -> None:
    terminal = Terminal(local, "auth", "add", "anthropic-claude-pro-max", columns=columns)
    terminal.process.expect("How to access")
    terminal.process.send("\x03")
    seen = " ".join(CONTROL.sub(" ", terminal.to_the_end()).split())

    assert "the supported method" in seen
    assert "subscription: no extra cost" in seen
    assert "metered: billed per token" in seen
    assert "…" not in seen.partition("How to access")[2]


class TestJustInTime:
    def test_a_run_without_access_offers_to_set_it_up_and_goes_on(self, local: Shell, pretend: str) -> None:
        with local.config.open("a") as file:
            file.write(f"  openai: {{base_url: '{pretend}', dialect: openai-chat}}\n")
        local.ensemble("solo", "name: solo\ndefault_task: x\nagents: [{name: a, provider: openai}]\n")
        terminal = Terminal(local, "invoke", "solo")
        terminal.process.expect("there is no API key for `openai`")
        terminal.process.expect(r"Set up `openai` now, and continue\?")
        terminal.process.send("y\r")
        terminal.process.expect("not shown")
        terminal.process.send("sk-canary-4711\r")
        terminal.process.expect("This would cost money: .*you have not trusted its")
        terminal.process.expect("openai .*metered: billed per token")
        terminal.process.expect("agents.a.provider: openai")
        terminal.process.expect("Yes, and always for this project")
        terminal.process.send("3\r")
        terminal.process.expect("tokens in")
        seen = terminal.to_the_end()

        assert terminal.process.exitstatus == 0
        assert "sk-canary" not in seen
        assert local.run("invoke", "solo").returncode == 0

    def test_a_no_ends_it_as_without_a_terminal(self, local: Shell) -> None:
        local.ensemble("solo", "name: solo\ndefault_task: x\nagents: [{name: a, provider: openai}]\n")
        terminal = Terminal(local, "invoke", "solo")
        terminal.process.expect("Set up `openai` now")
        terminal.process.send("n\r")
        terminal.to_the_end()

        assert terminal.process.exitstatus == 4
        done = local.run("invoke", "solo")
        assert done.returncode == 4
        assert "llm-orc auth add openai" in done.stderr

    def test_the_general_offer_comes_once(self, bare: Shell) -> None:
        bare.config.parent.mkdir(parents=True)
        bare.config.write_text("providers:\n  ollama: {base_url: 'http://127.0.0.1:9'}\n")
        bare.environ["PATH"] = "/usr/bin:/bin"
        first = Terminal(bare, "invoke", "multi-role-test")
        first.process.expect("Set up access to a model now")
        first.process.send("n\r")
        first.to_the_end()
        second = Terminal(bare, "invoke", "multi-role-test").to_the_end()

        assert "Set up access" not in second
        assert "llm-orc setup" in " ".join(second.split())
