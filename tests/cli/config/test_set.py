"""`llm-orc config set`, `get` and `unset`: one setting is changed, checked as it is read, and all else is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Shell

OWN = """\
# mine
runs:
  max_calls: 12  # enough
model_profiles:
  default: {provider: openai-compatible, model: canned-1}
"""


@pytest.fixture
def own(bare: Shell) -> Shell:
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text(OWN)
    bare.config.chmod(0o640)
    return bare


def test_one_value_is_changed_and_comments_order_and_mode_stay(own: Shell) -> None:
    done = own.run("config", "set", "runs.max_calls", "20")

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"runs.max_calls: 20 (was 12), in {own.config}\n"
    assert own.config.read_text() == OWN.replace("max_calls: 12", "max_calls: 20")
    assert own.config.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("key", "typed", "written", "got"),
    [
        ("runs.max_cost", "0.50", 0.5, "0.5"),
        ("runs.record", "false", False, "false"),
        ("model", "openai/gpt-5-mini", "openai/gpt-5-mini", "openai/gpt-5-mini"),
        ("runs.keep_days", "null", None, None),
        ("network.idle_timeout_seconds", "30", 30, "30"),
        ("model_profiles.default.model", "4711", "4711", "4711"),
        ("model_profiles.gpt-4.1.model", "gpt-4.1", "gpt-4.1", "gpt-4.1"),
        ("model_profiles.default.options.top_p", "0.9", 0.9, "0.9"),
        ("providers.openai.auth_method", "[api-key]", ["api-key"], '["api-key"]'),
        (
            "providers.mine.token_command",
            "[op, read, secret]",
            ["op", "read", "secret"],
            '["op", "read", "secret"]',
        ),
        ("providers.openai.oauth.issuer", "https://login.test", "https://login.test", "https://login.test"),
    ],
)
def test_a_value_is_read_as_its_setting_needs_and_read_back(
    own: Shell, key: str, typed: str, written: object, got: str | None
) -> None:
    done = own.run("config", "set", key, typed)
    read = own.run("config", "get", key)

    assert done.returncode == 0, done.stderr
    assert "was not set" in done.stderr or "was " in done.stderr
    assert json.loads(own.run("config", "get", key, "--json").stdout) == written
    assert (read.returncode, read.stdout) == ((1, "") if got is None else (0, f"{got}\n"))


@pytest.mark.parametrize(
    ("key", "value", "said", "hint"),
    [
        ("runs.max_calls", "many", "`runs.max_calls` must be a whole number", None),
        ("runs.max_cost", "cheap", "`runs.max_cost` must be", None),
        ("runs.max_cots", "1", "there is no setting `runs.max_cots`", "Did you mean `runs.max_cost`"),
        ("rums.max_cost", "1", "there is no setting", "Did you mean `runs.max_cost`"),
        ("providers.openai.base_ulr", "x", "there is no setting", "Did you mean `providers.openai.base_url`"),
        ("runs", "1", "there is no setting `runs`", None),
        ("providers.openai.api_key", "sk-canary-4711", "would be a secret", "llm-orc auth add openai"),
        ("model_profiles.default.api-key", "sk-canary-4711", "would be a secret", "llm-orc auth add"),
        ("providers.openai.base_url", "https://me:canary@host/", "must be without a user name or password", None),
        ("model_profiles.default.fallback_model_profile", "nowhere", "nowhere", None),
    ],
)
def test_what_would_not_be_read_is_refused_and_changes_nothing(
    own: Shell, key: str, value: str, said: str, hint: str | None
) -> None:
    done = own.run("config", "set", key, value)

    assert done.returncode != 0
    assert said in done.stderr
    assert hint is None or hint in done.stderr
    assert "canary" not in done.stderr
    assert own.config.read_text() == OWN


def test_a_new_file_is_private_and_has_the_one_setting(bare: Shell) -> None:
    done = bare.run("config", "set", "runs.max_retries", "2")

    assert done.returncode == 0, done.stderr
    assert bare.config.read_text() == "runs:\n  max_retries: 2\n"
    assert bare.config.stat().st_mode & 0o777 == 0o600


def test_what_overrides_it_is_said(own: Shell) -> None:
    own.environ["LLM_ORC_MAX_RETRIES"] = "7"

    done = own.run("config", "set", "runs.max_retries", "2")

    assert "It has no effect here: LLM_ORC_MAX_RETRIES" in done.stderr
    assert own.run("config", "get", "runs.max_retries").stdout == "7\n"


def test_a_setting_is_removed_with_what_is_empty_without_it(own: Shell) -> None:
    done = own.run("config", "unset", "runs.max_calls")
    again = own.run("config", "unset", "runs.max_calls")

    assert done.stderr == f"runs.max_calls is removed (was 12), from {own.config}\n"
    assert "runs" not in own.config.read_text()
    assert "# mine" in own.config.read_text()
    assert (again.returncode, "is not set in" in again.stderr) == (2, True)


class TestProject:
    def test_a_key_that_needs_trust_says_so_and_another_counts_at_once(self, own: Shell) -> None:
        (own.cwd / ".llm-orc").mkdir()

        limit = own.run("config", "set", "runs.max_calls", "5", "--project")
        guarded = own.run("config", "set", "providers.openai.base_url", "https://proxy.test/v1", "--project")

        file = own.cwd / ".llm-orc" / "config.yaml"
        assert limit.stderr == f"runs.max_calls: 5 (was not set), in {file}\n"
        assert guarded.stderr.endswith("It has no effect before you trust the project: llm-orc trust\n")
        assert own.run("config", "get", "runs.max_calls").stdout == "5\n"
        assert own.config.read_text() == OWN

    def test_what_only_the_user_may_set_and_where_there_is_no_project(self, own: Shell) -> None:
        outside = own.run("config", "set", "runs.max_calls", "5", "--project")
        (own.cwd / ".llm-orc").mkdir()
        never = own.run("config", "set", "providers.openai.extra_options", "[x]", "--project")

        assert (outside.returncode, "is in no project" in outside.stderr) == (2, True)
        assert (never.returncode, "only has an effect in your own config.yaml" in never.stderr) == (2, True)

    def test_a_file_that_is_a_link_is_left_alone(self, own: Shell, tmp_path: Path) -> None:
        target = tmp_path / "notes.yaml"
        target.write_text("runs: {max_calls: 1}\n")
        (own.cwd / ".llm-orc").mkdir()
        (own.cwd / ".llm-orc" / "config.yaml").symlink_to(target)

        done = own.run("config", "set", "runs.max_calls", "5", "--project")

        assert done.returncode == 2
        assert target.read_text() == "runs: {max_calls: 1}\n"

    def test_a_path_is_seen_from_where_it_is_typed(self, own: Shell) -> None:
        (own.cwd / ".llm-orc").mkdir()

        own.run("config", "set", "network.ca_file", "certs/ca.pem")
        own.run("config", "set", "network.ca_file", "certs/ca.pem", "--project")

        assert f"ca_file: {own.cwd / 'certs' / 'ca.pem'}" in own.config.read_text()
        assert "ca_file: ../certs/ca.pem" in (own.cwd / ".llm-orc" / "config.yaml").read_text()
