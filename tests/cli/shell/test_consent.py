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


def test_the_line_that_chooses_is_named_also_where_an_ensemble_only_names_its_profile(clone: Shell) -> None:
    (clone.cwd / ".llm-orc" / "config.yaml").write_text(
        "model_profiles:\n  theirs:\n    model: gpt-5-mini\n    provider: openai\n"
    )
    clone.ensemble("by-profile", "name: by-profile\nagents: [{name: a, model_profile: theirs}]\n")

    done = clone.run("invoke", "by-profile", "hello")

    assert done.returncode == 4
    assert "error: .llm-orc/config.yaml:4 chooses `openai`, billed per token" in done.stderr


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
        terminal.process.expect("tokens in")
        terminal.to_the_end()

        assert terminal.process.exitstatus == 0
        assert clone.run("invoke", "paid").returncode == 4


FOUND = "name: found\ndefault_task: x\nagents: [{name: a, model: gpt-5-mini}]\n"


@pytest.fixture
def found(bare: Shell, pretend: str) -> Shell:
    """An ensemble of one's own that names no provider, on a machine where only a key in the environment is found."""
    pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text(
        f"providers:\n  openai: {{base_url: '{pretend}', dialect: openai-chat, default_model: gpt-5-mini}}\n"
        "  ollama: {base_url: 'http://127.0.0.1:9'}\n"
    )
    bare.environ["OPENAI_API_KEY"] = "sk-canary-4711"
    bare.environ["PATH"] = "/usr/bin:/bin"
    bare.own_ensemble("found", FOUND.replace(", model: gpt-5-mini", ""))
    return bare


def answer(shell: Shell, words: tuple[str, ...], key: str, columns: int = 80) -> tuple[int, str]:
    """Type `key` at the question; return the exit code and everything that was seen."""
    from tests.cli.terminal import Terminal

    terminal = Terminal(shell, *words, columns=columns)
    terminal.process.expect("Which")
    terminal.process.send(f"{key}\r")
    seen = " ".join(terminal.to_the_end().split())
    assert terminal.process.exitstatus is not None
    return terminal.process.exitstatus, seen


class TestAlwaysForThisEnsemble:
    def test_the_question_has_the_price_and_the_answers(self, found: Shell) -> None:
        code, seen = answer(found, ("invoke", "found"), "1", columns=60)

        assert code == 4
        assert "Pay for this run (about $0.0010, at most $0.02)?" in seen
        assert (
            "1 No 2 Yes, this once 3 Yes, and always for `found`, as long as it and what it uses don't change"
            in seen
        )

    def test_it_holds_without_a_question_for_every_command_and_is_shown_and_withdrawn(self, found: Shell) -> None:
        file = found.config.with_name("ensembles") / "found.yaml"
        before = found.run("explain", "found").returncode
        code, _ = answer(found, ("invoke", "found"), "3")
        after = [found.run(*words).returncode for words in (("explain", "found"), ("invoke", "found"))]
        kept = found.config.with_name("trust.json")
        listed = json.loads(found.run("trust", "--list", "--json").stdout)["bills"]
        withdrawn = found.run("trust", str(file), "--forget")

        assert (before, code, after) == (4, 0, [0, 0])
        assert kept.stat().st_mode & 0o777 == 0o600
        assert "sk-canary" not in kept.read_text()
        assert listed[0]["file"] == str(file)
        assert listed[0]["agreed"][0]["provider"] == "openai"
        assert "bills are asked for again" in withdrawn.stderr
        assert found.run("invoke", "found").returncode == 4

    @pytest.mark.parametrize("change", ["file", "model", "key", "address"])
    def test_another_file_model_key_or_address_is_asked_for_again(
        self, found: Shell, pretend: str, change: str
    ) -> None:
        answer(found, ("invoke", "found"), "3")
        match change:
            case "file":
                found.own_ensemble("found", "name: found\ndefault_task: x\nagents: [{name: a}, {name: b}]\n")
            case "model":
                found.config.write_text(found.config.read_text().replace("gpt-5-mini", "gpt-5"))
            case "key":
                found.environ["ANTHROPIC_API_KEY"] = "sk-ant-canary"
                del found.environ["OPENAI_API_KEY"]
            case _:
                other = pretend.replace("127.0.0.1", "localhost")
                found.config.write_text(found.config.read_text().replace(pretend, other))

        done = found.run("invoke", "found")

        assert done.returncode == 4
        assert "the best access found is" in done.stderr

    def test_a_new_description_or_task_changes_nothing(self, found: Shell) -> None:
        answer(found, ("invoke", "found"), "3")
        found.own_ensemble("found", "name: found\ndescription: New words\ndefault_task: y\nagents: [{name: a}]\n")

        assert found.run("invoke", "found").returncode == 0

    def test_a_clone_can_be_agreed_to_without_trusting_its_project(self, clone: Shell) -> None:
        pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")
        code, seen = answer(clone, ("invoke", "paid"), "3")
        again = clone.run("invoke", "paid")
        clone.ensemble("paid", PAID.replace("gpt-5-mini", "gpt-5"))
        changed = clone.run("invoke", "paid")

        assert code == 0
        assert "4 Yes, and always for this project" in seen
        assert json.loads(clone.run("trust", "--list", "--json").stdout)["directories"] == []
        assert [again.returncode, changed.returncode] == [0, 4]

    @pytest.mark.slow
    def test_a_batch_and_a_chat_follow_it_and_ask_with_their_own_price(self, found: Shell) -> None:
        rows = found.cwd / "rows.txt"
        rows.write_text("one\ntwo\n")
        batch = ("batch", "found", "--inputs", "rows.txt")

        _, seen_batch = answer(found, batch, "1")
        _, seen_chat = answer(found, ("chat", "found"), "1")
        answer(found, ("invoke", "found"), "3")
        followed = [found.run(*batch).returncode, found.run("chat", "found", stdin="one\n").returncode]

        assert "Pay for 2 rows (about $0.0020, at most $0.04)?" in seen_batch
        assert "Pay for this chat (about $0.0010, at most $0.02 for the first turn)?" in seen_chat
        assert followed == [0, 0]
