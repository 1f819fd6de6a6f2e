"""One run with other models: `--model`, `--profile`, `--agent-model` and their variables, as they are typed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from llm_orc.formats.json_result import schema

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


@pytest.fixture
def models(shell: Shell) -> Shell:
    text = shell.config.read_text()
    fast = "  fast: {provider: openai-compatible, model: fast-1}\n"
    shell.config.write_text(text.replace("model_profiles:\n", f"model_profiles:\n{fast}"))
    return shell


def test_one_run_asks_another_model_and_says_so(models: Shell) -> None:
    done = models.run(
        "invoke", "panel", "-m", "openai-compatible/big", "--agent-model", "chair=fast", "--output-format", "json"
    )

    document = json.loads(done.stdout)
    Draft202012Validator(json.loads(schema())).validate(document)
    assert {name: agent["model"] for name, agent in document["results"].items()} == {
        "analyst": "big",
        "lawyer": "big",
        "chair": "fast-1",
    }
    assert document["named_models"]["chair"] == {"name": "fast", "by": "--agent-model"}
    shown = models.run("runs", "show", "--all")
    assert "Model of analyst, lawyer: openai-compatible/big (--model)\n" in shown.stdout
    assert "Model of chair: fast (--agent-model)\n" in shown.stdout


def test_a_variable_names_it_for_every_run_until_a_command_names_another(models: Shell) -> None:
    models.environ["LLM_ORC_PROFILE"] = "fast"

    by_variable = models.run("explain", "panel")
    by_command = json.loads(models.run("explain", "panel", "-m", "openai-compatible/big", "--json").stdout)
    setting = json.loads(models.run("config", "show", "runs.profile", "--json").stdout)

    assert "named    `fast` with LLM_ORC_PROFILE, in place of its own" in by_variable.stdout
    assert "LLM_ORC_PROFILE names `fast` in place of the ensemble's models." in by_variable.stderr
    assert {agent["model"] for agent in by_command["agents"]} == {"big"}
    assert by_command["agents"][0]["named_model"] == {"name": "openai-compatible/big", "by": "--model"}
    assert (setting[0]["value"], setting[0]["layer"]) == ("fast", "environment")


@pytest.mark.slow
def test_a_batch_with_another_model_is_another_batch(models: Shell) -> None:
    rows = ("batch", "panel", "--inputs", "-", "--rehearse")
    for more in ((), ("-m", "fast"), ("-m", "fast"), ("--profile", "fast")):
        assert models.run(*rows, *more, stdin="one\n").returncode == 0

    assert len(json.loads(models.run("batch", "list", "--json").stdout)) == 2


def test_a_new_run_from_an_old_one_has_another_model(models: Shell) -> None:
    models.run("invoke", "panel")

    done = models.run("runs", "fork", "last", "--from", "chair", "-m", "fast", "--output-format", "json")

    results = json.loads(done.stdout)["results"]
    assert [results[name]["model"] for name in ("analyst", "chair")] == ["canned-1", "fast-1"]


@pytest.mark.parametrize(
    ("command", "options", "code", "said"),
    [
        ("invoke", ("-m", "fsat"), 3, "--model: `fsat` is neither a model profile nor a provider"),
        ("explain", ("--profile", "fsat"), 3, "--profile: no model profile is called `fsat`"),
        ("check", ("--agent-model", "chiar=fast"), 2, "`panel` has no agent `chiar` that asks a model"),
        ("invoke", ("--agent-model", "chair"), 2, "`--agent-model chair` is not AGENT=MODEL"),
        (
            "check",
            ("--agent-model", "a=fast", "--agent-model", "a=fast"),
            2,
            "--agent-model names agent `a` twice",
        ),
        ("explain", ("-m", "fast", "--profile", "fast"), 2, "--model and --profile exclude each other"),
    ],
)
def test_what_cannot_be_meant_ends_before_anything_is_sent(
    models: Shell, command: str, options: tuple[str, ...], code: int, said: str
) -> None:
    done = models.run(command, "panel", *options)

    assert done.returncode == code
    assert said in done.stderr + done.stdout


def test_the_shell_completes_models(models: Shell) -> None:
    models.environ |= {"_LLM_ORC_COMPLETE": "bash_complete", "COMP_CWORD": "4"}
    models.environ["COMP_WORDS"] = "llm-orc invoke panel --agent-model chair=fa"

    assert models.run().stdout.splitlines() == ["plain,chair=fast", "plain,chair=fast-1"]


def test_an_ensemble_of_others_runs_where_its_profiles_are_not(models: Shell) -> None:
    models.ensemble("theirs", "name: theirs\ndefault_task: x\nagents: [{name: a, model_profile: gpu-box}]\n")

    as_it_is = models.run("invoke", "theirs")
    named = models.run("invoke", "theirs", "-m", "fast")
    compared = models.run("compare", "theirs", "-m", "fast", "-m", "openai-compatible/big", "-q")
    checked = models.run("check", "theirs", "-m", "fast")

    assert as_it_is.returncode == 3
    assert "can't be used with your settings" in as_it_is.stderr
    assert [done.returncode for done in (named, compared, checked)] == [0, 0, 0], named.stderr
    models.environ["LLM_ORC_MODEL"] = "fast"
    assert models.run("invoke", "theirs").returncode == 0
    assert "`gpu-box`, which does not exist" in models.run("check", "theirs").stdout


def test_a_model_by_its_name_alone_is_asked_where_anything_may_be_served(models: Shell) -> None:
    done = models.run("invoke", "panel", "-m", "meta-llama/Llama-3", "--json")
    assert done.returncode == 0, done
    asked = models.run("ask", "Which is it?", "-m", "large", "--json")
    compared = models.run("compare", "panel", "-m", "large", "-m", "fast-1", "--json", "-q")
    checked = models.run("check", "panel", "-m", "large")
    models.environ["LLM_ORC_MODEL"] = "large"
    by_variable = models.run("explain", "panel", "--json")

    assert {agent["model"] for agent in json.loads(done.stdout)["results"].values()} == {"meta-llama/Llama-3"}
    assert json.loads(asked.stdout)["results"]["assistant"]["model"] == "large"
    figures = [run["figures"]["models"]["chair"] for run in json.loads(compared.stdout)["runs"]]
    assert figures == ["large", "fast-1"]
    assert checked.returncode == 0
    assert {agent["model"] for agent in json.loads(by_variable.stdout)["agents"]} == {"large"}


def test_a_model_by_its_name_alone_goes_on_where_it_was_found(models: Shell) -> None:
    models.run("ask", "Which is it?", "-m", "large")

    goes_on = models.run("ask", "-c", "And why?", "--json")

    assert json.loads(goes_on.stdout)["results"]["assistant"]["model"] == "large"
    conversation = json.loads(goes_on.stdout)["conversation"]
    assert "large" in models.run("conversations", "show", conversation).stdout


def test_a_stroke_before_a_name_says_that_it_is_a_models_and_no_misspelling(models: Shell) -> None:
    document = json.loads(models.run("explain", "panel", "-m", "/fsat", "--json").stdout)

    assert {agent["model"] for agent in document["agents"]} == {"fsat"}


def test_a_conversation_keeps_a_model_that_was_named_alone(models: Shell) -> None:
    models.run("ask", "Which is it?", "-m", "large", "--conversation", "taxes")

    goes_on = models.run("ask", "And why?", "--conversation", "taxes", "--json")

    assert json.loads(goes_on.stdout)["results"]["assistant"]["model"] == "large"
