"""API keys on the command line: how they come in, that they are never shown, and what is said about them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llm_orc.sandbox.oauth.server import OAuthServer
from tests.cli.conftest import Shell
from tests.fakes.sign_in_place import SignInPlace, sign_in_place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = "canary-7731-of-no-known-shape"


@pytest.fixture
async def place(bare: Shell) -> AsyncIterator[SignInPlace]:
    async with sign_in_place(bare, OAuthServer(), require_token=False, accept_keys=(KEY,)) as here:
        yield here


async def add(place: SignInPlace, source: str, *more: str, key: str = KEY) -> tuple[int, str]:
    file = place.shell.home / "the.key"
    file.write_text(f"{key}\n", encoding="utf-8")
    place.shell.environ["THE_KEY"] = key
    options = {"stdin": ["--from-stdin"], "file": ["--from-file", str(file)], "env": ["--from-env", "THE_KEY"]}
    done = await place.run("auth", "add", "sandbox", *options[source], *more, stdin=f"{key}\n")
    file.unlink()
    del place.shell.environ["THE_KEY"]
    return done.returncode, done.stderr


@pytest.mark.parametrize("source", ["stdin", "file", "env"])
async def test_a_key_from_each_source_is_kept_encrypted_and_used(place: SignInPlace, source: str) -> None:
    code, said = await add(place, source)

    tried = await place.run("auth", "test", "sandbox")

    assert code == 0
    assert "protects against casual reading" in said
    assert tried.returncode == 0, tried.stderr
    assert place.sandbox.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    assert place.files_with(KEY) == []
    assert KEY not in "".join(place.spoken)


async def test_a_tried_key_is_verified_and_a_wrong_one_is_refused(place: SignInPlace) -> None:
    await add(place, "stdin", "--no-verify")
    before = json.loads((await place.run("auth", "status", "sandbox", "--json")).stdout)
    await place.run("auth", "test", "sandbox")
    after = json.loads((await place.run("auth", "status", "sandbox", "--json")).stdout)
    await add(place, "stdin", "--no-verify", "--replace", key="canary-which-nobody-takes")
    wrong = await place.run("auth", "test", "sandbox")
    status = await place.run("auth", "status", "sandbox", "--verify")

    assert before["credentials"][0]["state"] == "unverified"
    assert after["credentials"][0]["state"] == "verified"
    assert after["credentials"][0]["proven_at"] is not None
    assert wrong.returncode == 4
    assert status.returncode == 4
    assert "canary" not in "".join(place.spoken)


@pytest.mark.parametrize(
    "arguments",
    [
        ("auth", "add", "sk-canary-77312345"),
        ("auth", "add", "sandbox", "sk-canary-77312345"),
        ("auth", "add", "sandbox", "--account=sk-canary-77312345"),
        ("auth", "add", "sandbox", "--from-env", "sk-canary-77312345"),
        ("auth", "add", "sandbox", "canary77312345"),
        ("auth", "sk-canary-77312345"),
        ("auth", "canary"),
        ("auth", "status", "sk-canary-77312345", "--json"),
        ("--debug", "auth", "add", "sandbox", "--api-key", "sk-canary-77312345"),
    ],
    ids=" ".join,
)
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(bare: Shell, arguments: tuple[str, ...]) -> None:
    done = bare.run(*arguments)

    assert done.returncode == 2
    assert "canary" not in done.stdout + done.stderr


def test_a_missing_variable_that_may_be_a_key_is_not_repeated(bare: Shell) -> None:
    done = bare.run("auth", "add", "openai", "--from-env", "canary")

    assert done.returncode == 2
    assert "canary" not in done.stdout + done.stderr


@pytest.mark.parametrize("content", ["", "  \n", "two words\n", "two\nlines\n", "k\x00y", "\xff\xfe"])
def test_what_can_not_be_a_key_is_refused_and_nothing_is_kept(bare: Shell, content: str) -> None:
    done = bare.run("auth", "add", "openai", "--from-stdin", "--no-verify", stdin=content.encode("latin-1"))

    assert done.returncode == 4
    assert "standard input is not a valid API key: it " in done.stderr
    assert not (bare.config.parent / "credentials.json").exists()


def test_a_key_that_is_written_wrong_ends_a_run_before_it_begins_with_its_place(bare: Shell) -> None:
    bare.config.parent.mkdir(parents=True, exist_ok=True)
    key_file = bare.cwd / "key"
    key_file.write_text("OPENAI_API_KEY=sk-canary-4711")
    key_file.chmod(0o600)
    bare.environ |= {"OPENAI_API_KEY": '"sk-canary-4711"', "MINE": "sk-canary-4711\nsecond"}
    settings = "model_profiles: {{default: {{provider: openai, model: m}}}}\nproviders: {{openai: {{{}}}}}\n"

    for own, where in (
        ("", "the environment variable `OPENAI_API_KEY` is not a valid API key: it is in quotes"),
        (
            "api_key_env: MINE",
            "the environment variable `MINE` is not a valid API key: it has more than one line",
        ),
        (
            f"api_key_file: {key_file}",
            f"the key file `{key_file}` is not a valid API key: it starts with a name",
        ),
    ):
        bare.config.write_text(settings.format(own))
        done = bare.run("invoke", "quick-answer", "--input", "x", "--allow-metered")

        assert done.returncode == 4
        assert where in done.stderr
        assert "canary" not in done.stderr


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs Linux' list of processes")
def test_the_process_list_never_shows_the_key(bare: Shell) -> None:
    import subprocess

    from tests.cli.conftest import PROGRAM

    with subprocess.Popen(
        [PROGRAM, "auth", "add", "openai", "--from-stdin", "--no-verify"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=bare.cwd,
        env=bare.environ,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(KEY.encode())
        process.stdin.flush()
        shown = (
            Path(f"/proc/{process.pid}/cmdline").read_bytes() + Path(f"/proc/{process.pid}/environ").read_bytes()
        )
        out, err = process.communicate(timeout=20)

    assert process.returncode == 0, err
    assert KEY.encode() not in shown + out + err


def test_without_a_terminal_the_ways_are_named_and_nothing_is_chosen(bare: Shell) -> None:
    done = bare.run("auth", "add", "openrouter")

    assert done.returncode == 2
    assert "--method oauth" in done.stderr
    assert "--method api-key" in done.stderr
    assert "metered: billed per token" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--from-stdin", "--from-env", "X"),
        ("--from-stdin", "--device"),
        ("--method", "oauth", "--from-env", "X"),
        ("--method", "api-key", "--no-browser"),
    ],
    ids=" ".join,
)
def test_options_that_contradict_each_other_are_refused(bare: Shell, options: tuple[str, ...]) -> None:
    assert bare.run("auth", "add", "sandbox", *options, stdin="x").returncode == 2


def test_a_key_without_a_source_and_without_a_terminal_says_what_to_run(bare: Shell) -> None:
    done = bare.run("auth", "add", "openai", "--method", "api-key")

    assert done.returncode == 2
    assert "llm-orc auth add openai --method api-key --from-stdin" in done.stderr


@pytest.mark.parametrize(
    ("provider", "sibling"), [("anthropic-claude-pro-max", "anthropic-api"), ("chatgpt", "openai")]
)
def test_a_key_of_a_plan_is_refused_before_it_is_read(bare: Shell, provider: str, sibling: str) -> None:
    """The variable does not exist: it is not even looked for."""
    done = bare.run("auth", "add", provider, "--method", "api-key", "--from-env", "NO_SUCH_VARIABLE")

    assert "has no keys of its own" in done.stderr
    assert f"llm-orc auth add {sibling}" in done.stderr
    assert "NO_SUCH_VARIABLE" not in done.stderr


def test_an_unknown_provider_gets_the_nearest(bare: Shell) -> None:
    done = bare.run("auth", "add", "opnai", "--from-stdin", stdin="x")

    assert done.returncode == 3
    assert "`openai`" in done.stderr


def test_a_provider_without_credentials_says_so(bare: Shell) -> None:
    done = bare.run("auth", "add", "ollama")

    assert done.returncode == 2
    assert "needs no credential" in done.stderr


def test_an_absent_credential_is_exit_code_4_and_names_the_next_command(bare: Shell) -> None:
    done = bare.run("auth", "status", "openai")

    assert done.returncode == 4
    assert "absent" in done.stdout
    assert "llm-orc auth add openai" in done.stdout


def test_the_environment_is_shown_as_read_only_and_never_outranks_what_was_added(bare: Shell) -> None:
    bare.environ["OPENAI_API_KEY"] = KEY
    alone = bare.run("auth", "status", "openai")
    bare.run("auth", "add", "openai", "--from-stdin", "--no-verify", stdin="another-key")
    both = json.loads(bare.run("auth", "status", "openai", "--json").stdout)["credentials"]

    assert "environment variable OPENAI_API_KEY (read only)" in alone.stdout
    assert "yes: nothing else is set up" in alone.stdout
    assert [(c["place"], c["is_used"]) for c in both] == [("store", True), ("environment", False)]
    assert both[0]["shadows"] == ["environment variable OPENAI_API_KEY"]
    assert both[1]["shadowed_by"] == "the stored account `default`"
    assert KEY not in alone.stdout + alone.stderr + json.dumps(both)


def test_what_the_configuration_names_goes_before_what_is_stored(bare: Shell) -> None:
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text("providers:\n  openai: {api_key_env: WORK_KEY}\n", encoding="utf-8")
    bare.environ["WORK_KEY"] = KEY
    added = bare.run("auth", "add", "openai", "--from-stdin", "--no-verify", stdin="another-key")

    found = json.loads(bare.run("auth", "status", "openai", "--json").stdout)["credentials"]

    assert [(c["place"], c["is_used"]) for c in found] == [("configuration", True), ("store", False)]
    assert (
        "Runs that name `openai` now use environment variable WORK_KEY, named in the configuration" in added.stderr
    )


def test_accounts_stand_side_by_side_and_one_is_active(bare: Shell) -> None:
    bare.run("auth", "add", "openai", "--from-stdin", "--no-verify", stdin="first-key")
    bare.run("auth", "add", "openai", "--from-stdin", "--no-verify", "--account", "work", stdin="second-key")
    bare.run("auth", "switch", "openai", "default")

    listed = json.loads(bare.run("auth", "list", "--json").stdout)
    unknown = bare.run("auth", "switch", "openai", "nobody")

    assert {c["account"]: c["is_used"] for c in listed} == {"default": True, "work": False}
    assert unknown.returncode == 4
    assert "it has `default`, `work`" in unknown.stderr


def test_remove_deletes_one_account_here(bare: Shell) -> None:
    bare.run("auth", "add", "openai", "--from-stdin", "--no-verify", stdin="first-key")
    bare.run("auth", "add", "openai", "--from-stdin", "--no-verify", "--account", "work", stdin="second-key")

    removed = bare.run("auth", "remove", "openai", "--account", "work")
    again = bare.run("auth", "remove", "openai", "--account", "work")

    assert removed.returncode == 0
    assert again.returncode == 4
    assert [c["account"] for c in json.loads(bare.run("auth", "list", "--json").stdout)] == ["default"]


def test_logout_of_a_key_deletes_it_and_says_that_it_still_works(bare: Shell) -> None:
    bare.run("auth", "add", "openai", "--from-stdin", "--no-verify", stdin="first-key")

    done = bare.run("auth", "logout", "openai", "--json")

    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "provider": "openai",
        "account": "default",
        "deleted": True,
        "at_provider": "key-remains",
        "reason": None,
    }
    assert "It still works" in done.stderr
    assert bare.run("auth", "logout", "openai").returncode == 4


def test_a_damaged_store_is_named_and_left_as_it_is(bare: Shell) -> None:
    store = bare.config.parent / "credentials.json"
    store.parent.mkdir(parents=True)
    store.write_bytes(b"{ not json")
    store.chmod(0o600)

    status = bare.run("auth", "status")
    added = bare.run("--debug", "auth", "add", "openai", "--from-stdin", "--no-verify", stdin=KEY)

    assert status.returncode == 4
    assert str(store) in status.stderr
    assert added.returncode == 4
    assert store.read_bytes() == b"{ not json"
    assert KEY not in added.stdout + added.stderr


def test_a_store_without_its_key_is_locked(bare: Shell) -> None:
    bare.run("auth", "add", "openai", "--from-stdin", "--no-verify", stdin=KEY)
    (bare.config.parent / "credentials.key").unlink()

    done = bare.run("auth", "status", "openai", "--json")

    found = json.loads(done.stdout)
    assert done.returncode == 4
    assert found["store"]["state"] == "wrong_key"
    assert [c["state"] for c in found["credentials"]] == ["locked"]


def test_a_list_without_credentials_says_how_to_add_one(bare: Shell) -> None:
    done = bare.run("auth", "list")

    assert done.returncode == 0
    assert done.stdout == ""
    assert "llm-orc auth add" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_typed_key_is_not_shown(bare: Shell) -> None:
    pexpect = pytest.importorskip("pexpect", reason="needs pseudo-terminals")
    from tests.cli.terminal import Terminal

    terminal = Terminal(bare, "auth", "add", "openai", "--no-verify")
    terminal.process.expect("not shown")
    terminal.process.waitnoecho(timeout=60)
    terminal.process.sendline(KEY)
    terminal.process.expect(pexpect.EOF)
    terminal.process.close()

    assert terminal.process.exitstatus == 0
    assert KEY not in terminal.seen
    assert "Added the API key of `openai`" in terminal.seen


def test_setup_mentions_auth_add(bare: Shell) -> None:
    assert "llm-orc auth add" in bare.run("setup").stdout


def test_an_unknown_provider_gets_the_nearest_name_and_the_lines_that_describe_it(bare: Shell) -> None:
    unknown = bare.run("auth", "add", "groqq", "--from-stdin", stdin=KEY)
    left_out = bare.run("auth", "add", "zai", "--from-stdin", stdin=KEY)

    assert (unknown.returncode, left_out.returncode) == (3, 3)
    assert "Did you mean `groq`?" in unknown.stderr
    assert "    groqq:\n      dialect: openai-chat" in unknown.stderr
    assert "https://docs.z.ai/devpack/overview, as of " in left_out.stderr


def test_terms_of_a_plan_s_key_need_a_yes_before_the_key_is_read(bare: Shell) -> None:
    refused = bare.run("auth", "add", "mistral-vibe", "--from-stdin", "--no-verify", stdin=KEY)
    agreed = bare.run(
        "auth", "add", "mistral-vibe", "--from-stdin", "--no-verify", "--acknowledge-terms", stdin=KEY
    )

    assert refused.returncode == 2
    assert "https://docs.mistral.ai/vibe, as of " in refused.stderr
    assert agreed.returncode == 0, agreed.stderr
    assert "Added the API key of `mistral-vibe`" in agreed.stderr
