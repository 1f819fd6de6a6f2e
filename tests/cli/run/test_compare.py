"""`compare`: one ensemble with several models, beside each other; and `runs diff` for two runs that exist."""

from __future__ import annotations

import asyncio
import json
import signal

import pytest

from llm_orc.cli.shell.output.side_by_side import shortened
from llm_orc.sandbox.faults import Fault, Hang, Status
from llm_orc.sandbox.server import Sandbox
from tests.cli.conftest import Shell


@pytest.fixture
def models(shell: Shell) -> Shell:
    text = shell.config.read_text()
    fast = "  fast: {provider: openai-compatible, model: fast-1}\n"
    shell.config.write_text(text.replace("model_profiles:\n", f"model_profiles:\n{fast}"))
    shell.ensemble("one", "name: one\ndefault_task: Worth it?\nagents: [{name: a, system_prompt: You are a.}]\n")
    return shell


def test_each_model_has_a_run_of_its_own_and_all_are_shown(models: Shell) -> None:
    done = models.run("compare", "one", "-m", "fast", "-m", "openai-compatible/big", "Which is it?")

    assert done.returncode == 0, done.stderr
    heading, fast, big = done.stdout.splitlines()[:3]
    assert heading.split("  ")[-1] == "RUN"
    assert fast.split()[:3] == ["fast", "fast-1", "completed"]
    assert big.split()[:3] == ["openai-compatible/big", "big", "completed"]
    assert done.stdout.count("no model was asked]") == 2
    assert "=== fast\n" in done.stdout
    assert done.stderr.count("local: free") == 2
    ids = [line.split()[-1] for line in (fast, big)]
    compared = models.run("runs", "diff", *ids)
    assert [line.split()[:3] for line in compared.stdout.splitlines()[1:3]] == [
        ["A", "fast-1", "completed"],
        ["B", "big", "completed"],
    ]
    assert "model: fast-1 → big" in compared.stdout


def test_one_model_is_compared_with_the_ensemble_as_it_is(models: Shell) -> None:
    done = models.run("compare", "one", "-m", "fast", "--json", "-q")

    document = json.loads(done.stdout)
    assert [run["model"] for run in document["runs"]] == [None, "fast"]
    assert [run["figures"]["models"] for run in document["runs"]] == [{"a": "canned-1"}, {"a": "fast-1"}]
    assert [run["result"]["named_models"] for run in document["runs"]][1] == {
        "a": {"name": "fast", "by": "--model"}
    }
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "missing option"),
        (("-m", "fast", "-m", "fast"), "--model names the same model twice"),
        (("-m", "fast", "-m", "fsat"), "--model: `fsat` is neither a model profile nor a provider"),
    ],
)
def test_what_cannot_be_compared_ends_before_anything_is_sent(
    models: Shell, options: tuple[str, ...], said: str
) -> None:
    done = models.run("compare", "one", *options)

    assert done.returncode in (2, 3)
    assert said in done.stderr
    assert models.run("runs", "list").stdout == ""


async def test_a_side_that_fails_ends_no_other(models: Shell) -> None:
    async with Sandbox(faults=[Fault(Status(400), model="broken")]) as sandbox:
        models.talks_to(sandbox.base_url("openai-chat"))
        done = await asyncio.to_thread(
            models.run, "compare", "one", "-m", "openai-compatible/broken", "-m", "openai-compatible/good", "-q"
        )

    assert done.returncode == 5
    broken, good = done.stdout.splitlines()[1:3]
    assert broken.split()[2] == "failed"
    assert good.split()[2] == "completed"
    assert "openai-compatible/broken: a: " in done.stdout
    assert done.stdout.count("no model was asked]") == 1


async def test_a_reason_that_agents_share_is_given_once(models: Shell) -> None:
    async with Sandbox(faults=[Fault(Status(400), model="broken")]) as sandbox:
        models.talks_to(sandbox.base_url("openai-chat"))
        done = await asyncio.to_thread(
            models.run, "compare", "panel", "-m", "openai-compatible/broken", "-m", "openai-compatible/good"
        )

    failed = [line for line in done.stdout.splitlines() if line.startswith("openai-compatible/broken: ")]
    assert len(failed) == 1
    assert failed[0].startswith("openai-compatible/broken: analyst, lawyer: ")
    reason = failed[0].split(": ", 2)[2]
    assert done.stderr.count(reason) == 1
    assert done.stderr.count("failed, for the same reason") == 1


@pytest.mark.parametrize("width", [20, 24, 32, 36])
@pytest.mark.parametrize(
    "names",
    [
        ("openrouter/meta-llama/llama-3.3-70b-instruct", "openrouter/meta-llama/llama-3.3-8b-instruct"),
        ("first/meta-llama/llama-3.3-70b-instruct", "other/meta-llama/llama-3.3-70b-instruct"),
        (
            "x/a-model-with-a-very-long-name-1",
            "x/a-model-with-a-very-long-name-2",
            "y/a-model-with-a-very-long-name-1",
        ),
        ("x/the-very-same-beginning-A-the-very-same-end", "x/the-very-same-beginning-B-the-very-same-end"),
    ],
)
def test_names_that_are_cut_never_look_alike(names: tuple[str, ...], width: int) -> None:
    shown = shortened(names, width)

    assert len(set(shown)) == len(names)
    assert all(len(name) <= width for name in shown) or shown == list(names)


@pytest.mark.slow
async def test_ctrl_c_keeps_what_has_finished(models: Shell) -> None:
    async with Sandbox(faults=[Fault(Hang(), model="slow")]) as sandbox:
        models.talks_to(sandbox.base_url("openai-chat"))

        def until_stopped() -> tuple[str, str, int]:
            asked = ("compare", "one", "-m", "openai-compatible/slow", "-m", "openai-compatible/good")
            with models.started(*asked) as process:
                assert process.stderr is not None
                said = ""
                while "openai-compatible/good: completed after" not in said:
                    said += process.stderr.readline()
                process.send_signal(signal.SIGINT)
                out, err = process.communicate()
                return out, said + err, process.returncode

        out, err, code = await asyncio.to_thread(until_stopped)

    assert code == 130
    assert out.count("no model was asked]") == 1
    assert "Stopped by Ctrl-C: 1 of 2 runs had finished." in err
    assert "Resume openai-compatible/slow with: llm-orc resume " in err


def test_consent_is_for_all_runs_before_any_starts(models: Shell, pretend: str) -> None:
    models.config.write_text(
        models.config.read_text() + f"  openai: {{base_url: '{pretend}', dialect: openai-chat}}\n"
    )
    models.environ["OPENAI_API_KEY"] = "sk-canary-4711"
    (models.cwd / ".llm-orc" / "config.yaml").write_text(
        "model_profiles: {theirs: {provider: openai, model: gpt-5-mini}}\n"
    )

    refused = models.run("compare", "one", "-m", "fast", "-m", "theirs")
    nothing = models.run("runs", "list").stdout
    allowed = models.run("compare", "one", "-m", "fast", "-m", "theirs", "--allow-metered", "--max-cost", "1")
    too_dear = models.run("compare", "one", "-m", "openai/gpt-5", "-m", "openai/gpt-5-mini", "--max-cost", "0")

    assert (refused.returncode, nothing) == (4, "")
    assert "you have not trusted its directory" in refused.stderr
    assert allowed.returncode == 0, allowed.stderr
    assert "metered" in allowed.stdout.splitlines()[2]
    assert too_dear.returncode == 1
    assert too_dear.stdout.count("failed") >= 2


def test_the_limit_of_a_file_is_for_all_runs_together(models: Shell, pretend: str) -> None:
    models.config.write_text(
        f"providers:\n  openai: {{base_url: '{pretend}', dialect: openai-chat}}\n"
        "model_profiles:\n"
        "  a: {provider: openai, model: a, cost_per_token: 0.001, max_tokens: 10}\n"
        "  b: {provider: openai, model: b, cost_per_token: 0.001, max_tokens: 10}\n"
    )
    models.environ["OPENAI_API_KEY"] = "sk-canary-4711"
    agents = "agents: [{name: a, system_prompt: You are a.}]\n"
    dear = models.run("invoke", "one", "--profile", "a", "--max-cost", "0").stderr
    most_usd = float(dear.partition("may cost up to $")[2].partition(";")[0])
    models.ensemble("one", f"name: one\ndefault_task: Worth it?\nmax_cost: {most_usd * 1.01:.4f}\n{agents}")

    done = models.run("compare", "one", "-m", "a", "-m", "b", "--json", "-q")

    runs = json.loads(done.stdout)["runs"]
    assert sorted(run["result"]["status"] for run in runs) == ["completed", "failed"]


@pytest.mark.parametrize("wide", [120, 60])
def test_answers_are_side_by_side_where_there_is_room(models: Shell, wide: int) -> None:
    pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")
    from tests.cli.terminal import Terminal

    terminal = Terminal(models, "compare", "one", "-q", "-m", "fast", "-m", "openai-compatible/big", columns=wide)
    shown = terminal.to_the_end()

    assert (" │ " in shown) is (wide == 120)
    assert all(len(line.rstrip()) <= wide for line in shown.splitlines()[:3])
