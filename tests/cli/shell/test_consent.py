"""What a person in a clone is asked before it costs money, and what is said where nobody can be asked."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Shell

PAID = "name: paid\ndefault_task: x\nagents: [{name: a, provider: openai, model: gpt-5-mini}]\n"


@pytest.fixture
def clone(bare: Shell, pretend: str) -> Shell:
    """A project that chooses what its user would pay for, on a machine with a key in the environment."""
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text(f"providers:\n  openai: {{base_url: '{pretend}', dialect: openai-chat}}\n")
    bare.environ["OPENAI_API_KEY"] = "sk-canary-4711"
    bare.ensemble("paid", PAID)
    return bare


def test_where_nobody_can_be_asked_it_ends_with_what_to_type(clone: Shell) -> None:
    for command in (("invoke", "paid"), ("batch", "paid", "--inputs", "-"), ("chat", "paid")):
        done = clone.run(*command, stdin="one\n")

        assert done.returncode == 4, command
        assert ".llm-orc/ensembles/paid.yaml chooses `openai`, billed per token" in done.stderr
        assert "`llm-orc trust`" in done.stderr
        assert "--allow-metered" in done.stderr
        assert "sk-canary" not in done.stderr


def test_trust_shows_what_is_hidden_and_what_looks_like_something_else(clone: Shell) -> None:
    (clone.cwd / ".llm-orc" / "config.yaml").write_text(
        "providers: {openai: {base_url: 'https://\u0430pi.openai.com/v1'}}\n"
        'model_profiles: {theirs: {provider: openai, model: "gpt\\u202e5\\u200b"}}\n',
        encoding="utf-8",
    )

    done = clone.run("trust", "--yes", "--json")

    assert "https://\u0430pi.openai.com/v1 (in ASCII: `xn--" in done.stderr
    assert "model_profiles.theirs.model: gpt\\u202e5\\u200b" in done.stderr
    assert "agents.a.provider: openai" in done.stderr
    document = json.loads(done.stdout)
    assert document["trusted"] is True
    assert {one["key"] for one in document["guarded"]} >= {"agents.a.provider", "model_profiles.theirs.model"}


@pytest.mark.slow
def test_a_batch_is_the_same_whoever_agreed_and_needs_the_agreement_again(clone: Shell) -> None:
    paid = ("batch", "paid", "--inputs", "-")
    begun = clone.run(*paid, "--allow-metered", stdin="one\ntwo\n")
    again = clone.run(*paid, stdin="one\ntwo\n")
    clone.run("trust", "--yes")
    trusted = clone.run(*paid, stdin="one\ntwo\n")
    clone.run("trust", "--forget")
    forgotten = clone.run(*paid, stdin="one\ntwo\n")

    assert [done.returncode for done in (begun, again, trusted, forgotten)] == [0, 4, 0, 4], trusted.stderr
    assert len(json.loads(clone.run("batch", "list", "--json").stdout)) == 1


class TestInATerminal:
    def test_enter_is_a_no(self, clone: Shell) -> None:
        pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")
        from tests.cli.terminal import Terminal

        terminal = Terminal(clone, "invoke", "paid")
        terminal.process.expect("metered: billed per token")
        terminal.process.expect("estimate: 1 metered call, about")
        terminal.process.expect("agents.a.model: gpt-5-mini")
        terminal.process.expect("Which")
        terminal.process.send("\r")
        terminal.to_the_end()

        assert terminal.process.exitstatus == 4

    def test_once_is_once(self, clone: Shell) -> None:
        pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")
        from tests.cli.terminal import Terminal

        terminal = Terminal(clone, "invoke", "paid")
        terminal.process.expect("Which")
        terminal.process.send("2\r")
        terminal.process.expect("Status: completed")
        terminal.to_the_end()

        assert terminal.process.exitstatus == 0
        assert clone.run("invoke", "paid").returncode == 4
