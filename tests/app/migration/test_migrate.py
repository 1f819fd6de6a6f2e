"""Keys that lie around come into the store: nothing is guessed, overwritten or lost, whenever it is stopped."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cryptography.fernet import Fernet

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.migration.migrate import Found, billing_words, copy, is_in_store, look, replacing
from llm_orc.app.migration.rollback import put_away, put_back, take_away
from llm_orc.app.projects.earlier_files import earlier_files
from llm_orc.auth.credential import ApiKey, OAuthToken
from llm_orc.auth.secret import Secret
from llm_orc.errors import InputError
from tests.app.conftest import Workspace

KEY = "sk-canary-0123456789-7f31"
OTHER = "sk-canary-9876543210-0c2e"
# Kills itself with signal 9 right before its n-th change of a file below its home.
STOPPING = """
import os, signal, sys
left, home = int(sys.argv.pop(1)), os.environ["HOME"]
def watch(event, given):
    global left
    writes = event == "open" and given[2] & (os.O_WRONLY | os.O_RDWR)
    if (writes or event in {"os.rename", "os.remove", "os.chmod"}) and str(given[0]).startswith(home):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
from llm_orc.cli.main import main
sys.exit(main())
"""
MIGRATE = (
    sys.executable,
    "-c",
    "import sys; from llm_orc.cli.main import main; sys.exit(main())",
    "auth",
    "migrate",
)


def states(found: tuple[Found, ...]) -> dict[str, str]:
    return {one.where.rpartition("/")[2]: one.state for one in found}


def leave_older_store(workspace: Workspace, entries: object, folder: str = ".config/llm-orc") -> Path:
    place = workspace.root / folder
    place.mkdir(parents=True, exist_ok=True)
    key = Fernet.generate_key()
    (place / ".encryption_key").write_bytes(key)
    (place / "credentials.yaml").write_bytes(Fernet(key).encrypt(yaml.safe_dump(entries).encode()))
    return place / "credentials.yaml"


def all_of(workspace: Workspace) -> tuple[Found, ...]:
    """Copy all, then look again with fresh eyes."""
    app = workspace.app()
    copy(app, look(app))
    return look(workspace.app())


def stored(workspace: Workspace, provider: str) -> str | None:
    entry = open_credentials(workspace.app()).get(provider)
    if entry is None or entry.source != "own":
        return None
    return entry.credential.key.reveal() if isinstance(entry.credential, ApiKey) else None


def test_looking_finds_every_place_and_changes_nothing(workspace: Workspace) -> None:
    workspace.environ["ANTHROPIC_API_KEY"] = KEY
    workspace.write("work/project/.env", f"A=1\nOPENAI_API_KEY={KEY}\n")
    workspace.write(".bashrc", f"# mine\n\nexport OPENROUTER_API_KEY='{KEY}'\n")
    workspace.write(".config/fish/config.fish", f"set -gx HF_TOKEN {KEY}\n")
    workspace.write(".zshrc", "export GEMINI_API_KEY=$(pass show gemini)\n")

    found = look(workspace.app())

    assert states(found) == {
        "variable ANTHROPIC_API_KEY": "copy",
        ".env:2": "copy",
        ".bashrc:3": "copy",
        "config.fish:1": "copy",
        ".zshrc:1": "not-understood",
    }
    assert {one.hint for one in found} == {"…7f31", ""}
    assert KEY not in repr(found)
    assert not (workspace.config / "credentials.json").exists()


def test_copies_are_read_back_and_a_second_look_finds_them_there(workspace: Workspace) -> None:
    workspace.environ["ANTHROPIC_API_KEY"] = KEY
    workspace.write("work/project/.env", f"OPENAI_API_KEY={OTHER}\nANTHROPIC_API_KEY={KEY}\n")

    again = all_of(workspace)
    before = (workspace.config / "credentials.json").read_bytes()
    third = all_of(workspace)

    assert {one.state for one in (*again, *third)} == {"already-there"}
    assert (stored(workspace, "anthropic-api"), stored(workspace, "openai")) == (KEY, OTHER)
    assert (workspace.config / "credentials.json").read_bytes() == before
    entry = open_credentials(workspace.app()).get("anthropic-api")
    assert entry is not None
    assert entry.origin == "https://api.anthropic.com"


def test_what_is_stored_is_never_replaced(workspace: Workspace) -> None:
    open_credentials(workspace.app()).store_api_key("openai", OTHER, account="work")
    workspace.environ["OPENAI_API_KEY"] = KEY

    (found,) = all_of(workspace)

    assert found.state == "differs"
    assert stored(workspace, "openai") == OTHER


def test_of_two_different_keys_only_the_one_that_runs_use_today_is_chosen(workspace: Workspace) -> None:
    workspace.write("work/project/.env", f"OPENAI_API_KEY={KEY}\n")
    workspace.write(".profile", f"export OPENAI_API_KEY={OTHER}\n")
    undecided = look(workspace.app())
    workspace.environ["OPENAI_API_KEY"] = OTHER
    decided = look(workspace.app())

    assert states(undecided) == {".env:1": "differs", ".profile:1": "differs"}
    assert states(decided) == {"variable OPENAI_API_KEY": "copy", ".env:1": "differs", ".profile:1": "copy"}


def test_a_key_that_another_process_stored_meanwhile_stays(workspace: Workspace) -> None:
    workspace.environ["OPENAI_API_KEY"] = KEY
    app = workspace.app()
    found = look(app)
    open_credentials(workspace.app()).store_api_key("openai", OTHER)

    (done,) = copy(app, found)

    assert done.state == "differs"
    assert stored(workspace, "openai") == OTHER


@pytest.mark.parametrize("place", [".env:1", "OPENAI_API_KEY", "variable OPENAI_API_KEY"])
def test_a_place_that_is_named_replaces_what_the_store_has(workspace: Workspace, place: str) -> None:
    open_credentials(workspace.app()).store_api_key("openai", OTHER)
    if place == ".env:1":
        workspace.write("work/project/.env", f"OPENAI_API_KEY={KEY}\n")
    else:
        workspace.environ["OPENAI_API_KEY"] = KEY
    app = workspace.app()

    (found,) = replacing(look(app), [place], app.environment.cwd)
    (done,) = copy(app, [found])

    assert (found.state, done.state) == ("copy", "already-there")
    assert stored(workspace, "openai") == KEY
    assert states(look(workspace.app())) == {found.where.rpartition("/")[2]: "already-there"}


def test_a_place_without_another_key_replaces_nothing(workspace: Workspace) -> None:
    open_credentials(workspace.app()).store_api_key("openai", OTHER)
    workspace.write("work/project/.env", f"OPENAI_API_KEY={KEY}\n")
    app = workspace.app()

    with pytest.raises(InputError, match="no other key at `nowhere`") as refused:
        replacing(look(app), ["nowhere"], app.environment.cwd)

    assert refused.value.hint is not None
    assert ".env:1" in refused.value.hint


def test_two_places_with_different_keys_can_not_both_replace_one(workspace: Workspace) -> None:
    workspace.write("work/project/.env", f"OPENAI_API_KEY={KEY}\n")
    workspace.write(".profile", f"export OPENAI_API_KEY={OTHER}\n")
    app = workspace.app()

    with pytest.raises(InputError, match="different keys of `openai`"):
        replacing(look(app), [".env:1", str(workspace.root / ".profile:1")], app.environment.cwd)


def test_a_place_that_the_settings_name_is_left(workspace: Workspace) -> None:
    workspace.settings({"providers": {"openai": {"api_key_env": "TEAM_KEY"}}})
    workspace.environ["TEAM_KEY"] = KEY

    (found,) = look(workspace.app())

    assert (found.variable, found.state) == ("TEAM_KEY", "left")


def test_who_pays_is_said_before(workspace: Workspace) -> None:
    workspace.environ["OPENAI_API_KEY"] = KEY

    (words,) = billing_words(look(workspace.app()))

    assert "`openai` is metered" in words
    assert "without asking" in words


def test_the_store_of_an_earlier_release_is_copied_whole(workspace: Workspace) -> None:
    path = leave_older_store(
        workspace,
        {
            "anthropic-api": {"auth_method": "api_key", "api_key": KEY},
            "plan": {"auth_method": "oauth", "access_token": "at", "refresh_token": "rt"},
            "claude-cli": {"auth_method": "api_key", "api_key": "/usr/bin/claude"},
        },
    )
    before = path.read_bytes()

    first, again = look(workspace.app()), all_of(workspace)

    assert all("already read in place" in one.why for one in first)
    assert {one.state for one in again} == {"already-there"}
    entries = {e.provider: e for e in open_credentials(workspace.app()).entries() if e.source == "own"}
    assert entries["plan"].credential == OAuthToken(Secret("at"), Secret("rt"))
    assert stored(workspace, "anthropic-api") == KEY
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["A=1\n{}\nB=2\n", "{}", "\r\nA=1\r\n{}\r\n", "A=é\n{}\nB=2"])
def test_a_line_that_is_taken_out_comes_back_to_the_byte(workspace: Workspace, text: str) -> None:
    path = workspace.write("work/project/.env", "")
    whole = text.format(f"OPENAI_API_KEY='{KEY}'").encode()
    path.write_bytes(whole)
    path.chmod(0o644)

    all_of(workspace)
    (taken,) = take_away(workspace.app(), look(workspace.app()))
    without = path.read_bytes()
    (back,) = put_back(workspace.app(), put_away(workspace.app()))

    assert taken.is_done
    assert KEY.encode() not in without
    assert len(without.split()) == len(whole.split()) - 1
    assert back.is_done
    assert path.read_bytes() == whole
    assert put_away(workspace.app()) == ()
    assert os.name == "nt" or stat.S_IMODE(path.stat().st_mode) == 0o644


def test_several_lines_of_a_file_come_back_in_their_places(workspace: Workspace) -> None:
    text = f"OPENAI_API_KEY={KEY}\nA=1\nHF_TOKEN={OTHER}\nB=2\nGEMINI_API_KEY={KEY}\n"
    path = workspace.write("work/project/.env", text)

    all_of(workspace)
    take_away(workspace.app(), look(workspace.app()))
    without = path.read_text()
    put_back(workspace.app(), put_away(workspace.app()))

    assert without == "A=1\nB=2\n"
    assert path.read_text() == text


def test_a_line_that_was_changed_meanwhile_or_that_the_store_lacks_stays(workspace: Workspace) -> None:
    path = workspace.write("work/project/.env", f"OPENAI_API_KEY={KEY}\n")
    found = all_of(workspace)
    open_credentials(workspace.app()).remove("openai")
    lacking = take_away(workspace.app(), found)
    path.write_text(f"OPENAI_API_KEY={OTHER}\n")
    changed = take_away(workspace.app(), found)

    assert [change.is_done for change in (*lacking, *changed)] == [False, False]
    assert path.read_text() == f"OPENAI_API_KEY={OTHER}\n"


def test_a_new_value_is_not_touched_by_putting_the_old_one_back(workspace: Workspace) -> None:
    path = workspace.write("work/project/.env", f"OPENAI_API_KEY={KEY}\n")
    all_of(workspace)
    take_away(workspace.app(), look(workspace.app()))
    path.write_text(f"OPENAI_API_KEY={OTHER}\n")

    (change,) = put_back(workspace.app(), put_away(workspace.app()))

    assert not change.is_done
    assert path.read_text() == f"OPENAI_API_KEY={OTHER}\n"
    assert len(put_away(workspace.app())) == 1


def test_shell_profiles_are_never_edited(workspace: Workspace) -> None:
    path = workspace.write(".bashrc", f"export OPENAI_API_KEY={KEY}\n")

    all_of(workspace)
    changes = take_away(workspace.app(), look(workspace.app()))

    assert changes == ()
    assert path.read_text() == f"export OPENAI_API_KEY={KEY}\n"


def test_an_older_store_is_moved_only_when_all_of_it_is_copied_and_comes_back(workspace: Workspace) -> None:
    path = leave_older_store(workspace, {"anthropic-api": {"auth_method": "api_key", "api_key": KEY}})
    before = path.read_bytes()
    too_early = take_away(workspace.app(), look(workspace.app()))

    all_of(workspace)
    (moved,) = take_away(workspace.app(), look(workspace.app()))
    gone, kept = not path.exists(), stored(workspace, "anthropic-api")
    (back,) = put_back(workspace.app(), put_away(workspace.app()))

    assert [change.is_done for change in too_early] == [False]
    assert (moved.is_done, gone, kept, back.is_done) == (True, True, KEY, True)
    assert path.read_bytes() == before


def test_files_of_earlier_releases_are_reported_and_left(workspace: Workspace) -> None:
    workspace.settings({"model_profiles": {"fast": {"model": "m", "provider": "openai"}}, "performance": {"x": 1}})
    workspace.cloned("old", {"name": "a", "model": "anthropic-api", "system_prompt": "Hello."})
    workspace.cloned("odd", {"name": "a", "script": "run.sh"})
    ancient = workspace.write(".llm-orc/config.yaml", {"model_profiles": {}})

    found = {str(one.file.relative_to(workspace.root)): one for one in earlier_files(workspace.app())}

    settings = found[".config/llm-orc/config.yaml"]
    assert settings.state == "read-in-part"
    assert "`performance`" in settings.remarks[0]
    assert found["work/project/.llm-orc/ensembles/old.yaml"].state == "read"
    assert found["work/project/.llm-orc/ensembles/odd.yaml"].state == "refused"
    assert found["work/project/.llm-orc/ensembles/odd.yaml"].remarks
    assert found[".llm-orc/config.yaml"].state == "not-read"
    assert ancient.exists()


def where_the_key_is(workspace: Workspace, path: Path) -> set[str]:
    """Every place from which the key can be had again by the program's own means."""
    places = {"file"} if KEY in path.read_text() else set()
    if stored(workspace, "openai") == KEY:
        places.add("store")
    if any(kept.text and KEY in kept.text.reveal() for kept in put_away(workspace.app())):
        places.add("put away")
    return places


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX notion")
async def test_killed_at_any_instant_it_loses_nothing(workspace: Workspace) -> None:
    path = workspace.write("work/project/.env", f"A=1\nOPENAI_API_KEY={KEY}\n")
    chance = random.Random(5)
    store = workspace.config / "credentials.json"

    for _ in range(8):
        if store.exists() and chance.random() < 0.5:
            open_credentials(workspace.app()).remove("openai")
            put_back(workspace.app(), put_away(workspace.app()))
            path.write_text(f"A=1\nOPENAI_API_KEY={KEY}\n")
        process = await asyncio.create_subprocess_exec(
            *MIGRATE,
            "--yes",
            "--dotenv",
            "--remove-old",
            cwd=workspace.project,
            env=workspace.process_environ(),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await asyncio.wait_for(process.wait(), chance.uniform(0.05, 0.4))
        except TimeoutError:
            process.send_signal(signal.SIGKILL)
            await process.wait()
        places = where_the_key_is(workspace, path)
        assert path.read_text().startswith("A=1\n")
        assert places
        assert "file" in places or places == {"store", "put away"}

    done = all_of(workspace)
    take_away(workspace.app(), done)
    assert where_the_key_is(workspace, path) == {"store", "put away"}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX notion")
def test_killed_before_each_change_of_a_file_it_loses_nothing_and_goes_on(workspace: Workspace) -> None:
    text = f"A=1\nOPENAI_API_KEY={KEY}\n"
    returned, number = -signal.SIGKILL, 0
    while returned == -signal.SIGKILL:
        shutil.rmtree(workspace.config, ignore_errors=True)
        path = workspace.write("work/project/.env", text)
        older = leave_older_store(workspace, {"huggingface": {"auth_method": "api_key", "api_key": OTHER}})
        whole = older.read_bytes()

        arguments = ("-c", STOPPING, str(number), "auth", "migrate", "--yes", "--dotenv", "--remove-old")
        returned = subprocess.run(
            [sys.executable, *arguments],
            cwd=workspace.project,
            env=workspace.process_environ(),
            capture_output=True,
            timeout=30,
            check=False,
        ).returncode

        places = where_the_key_is(workspace, path)
        assert "file" in places or places == {"store", "put away"}
        assert [p.read_bytes() for p in older.parent.glob("credentials.yaml*")] == [whole]
        assert older.exists() or stored(workspace, "huggingface") == OTHER
        all_of(workspace)
        take_away(workspace.app(), look(workspace.app()))
        assert where_the_key_is(workspace, path) == {"store", "put away"}
        put_back(workspace.app(), put_away(workspace.app()))
        assert (path.read_text(), older.read_bytes()) == (text, whole)
        number += 1

    assert returned == 0
    assert number > 10


@pytest.mark.slow
async def test_two_at_once_do_no_harm(workspace: Workspace) -> None:
    path = workspace.write("work/project/.env", f"A=1\nOPENAI_API_KEY={KEY}\nHF_TOKEN={OTHER}\n")
    workspace.app()
    several = [
        await asyncio.create_subprocess_exec(
            *MIGRATE,
            "--yes",
            "--dotenv",
            "--remove-old",
            cwd=workspace.project,
            env=workspace.process_environ(),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(3)
    ]
    said = [(await process.communicate())[1].decode() for process in several]

    assert [process.returncode for process in several] == [0, 0, 0], said
    assert path.read_text() == "A=1\n"
    assert (stored(workspace, "openai"), stored(workspace, "huggingface")) == (KEY, OTHER)
    put_back(workspace.app(), put_away(workspace.app()))
    assert path.read_text() == f"A=1\nOPENAI_API_KEY={KEY}\nHF_TOKEN={OTHER}\n"


def test_a_found_key_is_in_the_store_only_when_our_own_store_has_it(workspace: Workspace) -> None:
    leave_older_store(workspace, {"openai": {"auth_method": "api_key", "api_key": KEY}})
    workspace.write("work/project/.env", f"OPENAI_API_KEY={KEY}\n")

    found = look(workspace.app())
    before = [is_in_store(workspace.app(), one) for one in found]
    all_of(workspace)

    assert states(found) == {"credentials.yaml": "copy", ".env:1": "already-there"}
    assert before == [False, False]
    assert all(is_in_store(workspace.app(), one) for one in look(workspace.app()))
