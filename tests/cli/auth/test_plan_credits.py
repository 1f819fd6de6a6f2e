"""The one yes that a plan needs if it passes into credits: where it is asked for, and what is said without it."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.cli.conftest import Shell

PLAN = "name: plan\ndefault_task: x\nagents: [{name: a, provider: my-plan, model: m}]\n"


@pytest.fixture
def planner(bare: Shell, pretend: str) -> Shell:
    """A machine whose provider `my-plan` draws on a plan that passes into credits."""
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text(
        f"providers:\n  my-plan: {{base_url: '{pretend}', dialect: openai-chat, billing: plan-credits}}\n"
    )
    (bare.config.parent / "ensembles").mkdir()
    (bare.config.parent / "ensembles" / "plan.yaml").write_text(PLAN)
    bare.environ["PLAN_KEY"] = "sk-canary-of-a-plan"
    return bare


def is_agreed(shell: Shell) -> bool:
    return bool(yaml.safe_load(shell.config.read_text())["providers"]["my-plan"].get("allow_plan_credits"))


def test_auth_add_takes_the_yes_as_an_option_and_runs_need_no_other(planner: Shell) -> None:
    added = planner.run("auth", "add", "my-plan", "--from-env", "PLAN_KEY", "--allow-plan-credits")
    done = planner.run("invoke", "plan", "--output-format", "json")

    assert (added.returncode, done.returncode) == (0, 0), added.stderr + done.stderr
    assert is_agreed(planner)
    what = "plan-credits: your plan's allowance; beyond it, as your account allows"
    assert what in added.stderr
    assert what in done.stderr
    totals = json.loads(done.stdout)["totals"]
    assert (totals["cost_usd"], totals["by_billing"]["plan-credits"]["unknown_costs"]) == (None, 1)


def test_where_nobody_can_be_asked_every_command_says_how_to_agree(planner: Shell) -> None:
    added = planner.run("auth", "add", "my-plan", "--from-env", "PLAN_KEY")
    status = planner.run("auth", "status", "my-plan")

    assert not is_agreed(planner)
    for text in (added.stderr, status.stdout):
        assert "providers.my-plan.allow_plan_credits: true" in text
    for command in (
        ("invoke", "plan"),
        ("batch", "plan", "--inputs", "-"),
        ("check", "plan"),
        ("explain", "plan"),
    ):
        done = planner.run(*command, stdin="one\n")

        assert done.returncode == (0 if command[0] == "check" else 4), command  # its file is good
        said = done.stdout + done.stderr
        assert "beyond it, whatever its account allows" in said
        assert "providers.my-plan.allow_plan_credits: true" in said
        assert "sk-canary" not in said


@pytest.mark.slow
def test_in_a_terminal_a_run_asks_once_and_keeps_the_yes(planner: Shell) -> None:
    pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")
    from tests.cli.terminal import Terminal

    planner.run("auth", "add", "my-plan", "--from-env", "PLAN_KEY")
    for answer, code in (("\r", 4), ("y\r", 0)):
        terminal = Terminal(planner, "invoke", "plan")
        terminal.process.expect("This may cost money: `my-plan` uses a plan's allowance")
        terminal.process.expect("Use your plan of `my-plan`")
        terminal.process.send(answer)
        terminal.to_the_end()
        assert terminal.process.exitstatus == code

    assert is_agreed(planner)
    assert planner.run("invoke", "plan").returncode == 0
