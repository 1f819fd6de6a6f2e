"""`llm-orc config show`: each setting that counts, and where it was written."""

from __future__ import annotations

import json

from tests.cli.conftest import Shell


def shown(shell: Shell, *arguments: str) -> dict[str, tuple[object, str, int | None]]:
    done = shell.run("config", "show", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return {one["setting"]: (one["value"], one["layer"], one["line"]) for one in json.loads(done.stdout)}


def test_every_layer_is_told_with_its_line(shell: Shell) -> None:
    shell.config.write_text(
        "runs:\n  max_retries: 2\n  max_calls: 12\nmodel_profiles:\n  default: {provider: ollama}\n"
    )
    project = shell.cwd / ".llm-orc" / "config.yaml"
    project.write_text("runs: {max_calls: 9}\n")
    shell.environ["LLM_ORC_MAX_CONCURRENT"] = "3"

    assert shown(shell) == {
        "runs.max_retries": (2, "user", 2),
        "runs.max_calls": (9, "project", 1),
        "runs.max_concurrent": (3, "environment", None),
        "model_profiles.default.provider": ("ollama", "user", 5),
    }
    assert f"{project}:1" in shell.run("config", "show", "runs").stdout


def test_what_prefer_and_setup_wrote_is_there(shell: Shell) -> None:
    assert shell.run("setup", "--yes", "--no-test").returncode == 0
    assert shell.run("auth", "prefer", "openai", "api-key").returncode == 0

    found = shown(shell)

    assert found["model_profiles.default.provider"][:2] == ("openai-compatible", "user")
    assert found["providers.openai.auth_method"][:2] == (["api-key"], "user")


def test_a_part_of_them(shell: Shell) -> None:
    assert all(name.startswith("providers.openrouter") for name in shown(shell, "providers.openrouter"))
    assert len(shown(shell, "--all")) > 20


def test_what_is_left_out_of_an_untrusted_project_is_said(shell: Shell) -> None:
    (shell.cwd / ".llm-orc" / "config.yaml").write_text(
        "providers: {openai: {base_url: 'https://elsewhere.example'}}\n"
    )

    done = shell.run("config", "show")

    assert "elsewhere" not in done.stdout
    assert "Left out: `providers.openai.base_url`" in done.stderr


def test_an_unknown_one_is_met_with_the_nearest(shell: Shell) -> None:
    shell.config.write_text("runs: {max_retries: 2}\n")
    done = shell.run("config", "show", "runs.max_retrys")

    assert done.returncode == 2
    assert "Did you mean `runs.max_retries`" in done.stderr


def test_a_setting_that_nobody_set_is_shown_with_its_default(shell: Shell) -> None:
    assert shown(shell, "runs.keep_days") == {"runs.keep_days": (90, "default", None)}
    assert shown(shell, "runs.max_cost") == {"runs.max_cost": (None, "default", None)}
    assert "runs.keep_days" not in shown(shell)
    assert shown(shell, "--all")["network.max_answer_mb"] == (64, "default", None)


def test_nothing_set_names_the_file_to_begin(bare: Shell) -> None:
    done = bare.run("config", "show")

    assert (done.returncode, done.stdout) == (0, "")
    assert str(bare.config) in done.stderr
    assert bare.run("config", "path").stdout == f"{bare.config}\n"
