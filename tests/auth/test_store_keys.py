"""Where the data key is: a keychain of any temper, a passphrase, a file; and never less protection in silence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llm_orc.auth.credential import ApiKey
from llm_orc.auth.secret import Secret
from llm_orc.auth.storage import CredentialStorage
from llm_orc.auth.stores.choose import DataKeys, choose_keys
from llm_orc.auth.stores.key_file import KeyFile
from llm_orc.auth.stores.keychain import Keychain
from llm_orc.auth.stores.keys import DataKey, KeyHeader, KeySource, NewKey, Protection
from llm_orc.auth.stores.passphrase import Passphrase
from llm_orc.errors import CredentialStoreError

pytest.importorskip("keyring", reason="the extra `keyring` is not installed")

KEY = ApiKey(Secret("k"))


class Desk:
    """One machine: its folders, its keychain's temper, and its clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.items = folder / "items.json"
        self.now = 1_000.0
        self.temper = "Working"
        self.passphrase: str | None = None
        self.questions: list[bool] = []

    @property
    def environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PYTHON_KEYRING_BACKEND": f"tests.fakes.keyrings.{self.temper}",
            "FAKE_KEYRING_FILE": str(self.items),
        }

    def keychain(self) -> Keychain:
        limit_s = 3.0 if self.temper == "Hanging" else 30.0  # a busy machine must not make the others look like it
        return Keychain(self.folder / "cache", environ=self.environ, limit_s=limit_s, clock=lambda: self.now)

    def keys(self, prefer: Protection | None = None) -> DataKeys:
        places: dict[Protection, KeySource] = {
            Protection.KEYCHAIN: self.keychain(),
            Protection.PASSPHRASE: Passphrase(self.ask),
            Protection.KEY_FILE: KeyFile(self.folder / "credentials.key"),
        }
        return DataKeys(places, prefer)

    def ask(self, *, new: bool) -> Secret | None:
        self.questions.append(new)
        return None if self.passphrase is None else Secret(self.passphrase)

    def storage(self, prefer: Protection | None = None) -> CredentialStorage:
        """As a new process would open it."""
        return CredentialStorage(self.folder / "credentials.json", self.keys(prefer), clock=lambda: self.now)

    def calls(self) -> list[str]:
        path = Path(f"{self.items}.calls")
        return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def desk(tmp_path: Path, without_keychain: None, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.delitem(sys.modules, "keyring")
    return Desk(tmp_path)


def is_running(pid: int) -> bool:
    """Whoever was orphaned may stay as a zombie where the first process of a container reaps nobody."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return bool(state.strip()) and not state.startswith("Z")


# --- keychain ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temper", ["Working", "Talkative"])
def test_a_key_in_a_working_keychain_opens_the_store_and_is_nowhere_on_the_disk(temper: str, desk: Desk) -> None:
    desk.temper = temper
    desk.storage().store_api_key("a", "k")

    found = desk.storage().get("a")

    assert found is not None
    assert found.credential == KEY
    assert desk.storage().protection is Protection.KEYCHAIN
    assert not (desk.folder / "credentials.key").exists()
    (item,) = json.loads(desk.items.read_text()).values()
    assert len(item) < 50, "some keychains cut longer items"
    assert item not in (desk.folder / "credentials.json").read_text()


@pytest.mark.parametrize(
    ("temper", "why"),
    [
        ("Cutting", "does not return what was stored"),
        ("Forgetful", "does not return what was stored"),
        ("Locked", "it is locked"),
        ("Quoting", "it failed (RuntimeError)"),
    ],
)
def test_where_the_keychain_is_no_good_a_new_store_says_that_its_key_is_in_a_file(
    temper: str, why: str, desk: Desk
) -> None:
    desk.temper = temper
    storage = desk.storage()

    storage.store_api_key("a", "k")

    assert storage.protection is Protection.KEY_FILE
    (notice,) = storage.notices
    assert "keychain can't be used now" in notice
    assert "protects against casual reading" in notice
    assert why in notice
    assert "is encrypted; its key is in a file beside it" in storage.state.words


@pytest.mark.slow
def test_a_keychain_that_hangs_is_ended_in_time_with_all_that_it_started_and_left_alone_for_a_while(
    desk: Desk,
) -> None:
    desk.temper = "Hanging"
    began = time.monotonic()
    desk.storage().store_api_key("a", "k")
    took_s = time.monotonic() - began
    child = int(Path(f"{desk.items}.calls").read_text().split()[-1])

    calls = desk.calls()
    (desk.folder / "credentials.json").unlink()
    desk.now += 600
    desk.storage().store_api_key("a", "k")
    rested = desk.calls()
    (desk.folder / "credentials.json").unlink()
    desk.now += 600
    desk.temper = "Working"
    desk.now += 600
    desk.storage().store_api_key("a", "k")

    assert 2.5 < took_s < 6
    assert not is_running(child)
    assert rested == calls
    assert desk.storage().protection is Protection.KEYCHAIN


@pytest.mark.slow
@pytest.mark.parametrize("temper", ["Locked", "Hanging"])
def test_a_store_whose_keychain_does_not_answer_is_locked_and_never_made_anew(temper: str, desk: Desk) -> None:
    desk.storage().store_api_key("a", "k")
    before = (desk.folder / "credentials.json").read_bytes()
    desk.temper = temper
    storage = desk.storage()

    state = storage.state
    with pytest.raises(CredentialStoreError) as caught:
        storage.store_api_key("b", "k2")
    desk.temper = "Working"
    desk.now += 60

    assert state.name == caught.value.state == "locked"
    assert state.hint is not None
    assert "SSH" in state.hint
    assert desk.calls().count("get") == 2, "one for the new key, one now, and none soon after a failure"
    assert (desk.folder / "credentials.json").read_bytes() == before
    assert not (desk.folder / "credentials.key").exists()
    assert desk.storage().get("a") is not None


def test_a_keychain_without_the_key_or_with_another_is_a_wrong_key(desk: Desk) -> None:
    desk.storage().store_api_key("a", "k")
    (name,) = json.loads(desk.items.read_text())

    desk.items.write_text("{}")
    missing = desk.storage().state
    desk.items.write_text(json.dumps({name: "bm90IGEga2V5"}))
    other = desk.storage().state

    assert (missing.name, other.name) == ("wrong_key", "wrong_key")


def test_a_failure_in_one_session_says_nothing_about_another(desk: Desk) -> None:
    desk.temper = "Locked"
    with pytest.raises(CredentialStoreError):
        desk.keychain().create()
    desk.temper = "Working"  # named by the environment, as the address of a desktop's session bus is

    new = desk.keychain().create()

    assert new.header.protection is Protection.KEYCHAIN


def test_the_working_directory_never_provides_the_keychain(desk: Desk, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "keyring.py").write_text("raise SystemExit('hijacked')\n")
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom llm_orc.auth.stores.keychain import Keychain\n"
        "print(Keychain(Path(sys.argv[1])).create().header.protection)"
    )

    done = subprocess.run(
        [sys.executable, "-P", "-c", script, str(tmp_path / "cache")],
        cwd=project,
        env=desk.environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "keychain\n", done.stderr


def test_no_secret_of_a_keychain_is_in_an_error_or_in_the_cache(desk: Desk) -> None:
    desk.temper = "Quoting"

    with pytest.raises(CredentialStoreError) as caught:
        desk.keychain().create()

    cached = "".join(path.read_text() for path in (desk.folder / "cache").iterdir())
    assert "can't store" not in f"{caught.value!r} {caught.value.__cause__!r} {cached}"


# --- passphrase -------------------------------------------------------------------------------------------


def test_a_passphrase_opens_the_store_however_its_letters_are_typed(desk: Desk) -> None:
    desk.passphrase = "caf\u00e9 on the hill"
    desk.storage(Protection.PASSPHRASE).store_api_key("a", "k")
    desk.passphrase = "cafe\u0301 on the hill"

    found = desk.storage().get("a")

    assert found is not None
    assert found.credential == KEY
    assert desk.questions == [True, False]
    header = json.loads((desk.folder / "credentials.json").read_text())["key"]
    assert header["scrypt"]["n"] == 2**17
    assert desk.calls() == []


def test_a_wrong_passphrase_is_told_from_none_and_may_be_typed_again(desk: Desk) -> None:
    desk.passphrase = "right"
    desk.storage(Protection.PASSPHRASE).store_api_key("a", "k")
    storage = desk.storage()

    desk.passphrase = None
    nobody = storage.state
    desk.passphrase = "a guess"
    wrong = storage.state
    desk.passphrase = "right"
    right = storage.state

    assert (nobody.name, wrong.name, right.name) == ("locked", "wrong_key", "ok")
    assert nobody.hint is not None
    assert "LLM_ORC_PASSPHRASE_FILE" in nobody.hint
    assert "a guess" not in repr(wrong)


def test_a_passphrase_is_asked_for_once_in_a_process(desk: Desk) -> None:
    desk.passphrase = "right"
    desk.storage(Protection.PASSPHRASE).store_api_key("a", "k")
    desk.questions.clear()
    keys = desk.keys()

    for _ in range(2):
        storage = CredentialStorage(desk.folder / "credentials.json", keys)
        storage.store_api_key("b", "k")
        storage.entries()

    assert desk.questions == [False]


def test_a_chosen_passphrase_that_nobody_gives_makes_no_store(desk: Desk) -> None:
    with pytest.raises(CredentialStoreError, match="needs its passphrase"):
        desk.storage(Protection.PASSPHRASE).store_api_key("a", "k")

    assert desk.storage().state.name == "absent"
    assert not (desk.folder / "credentials.key").exists()


def test_a_passphrase_file_protects_new_stores_and_opens_them_without_anybody(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("from the file\n")
    file.chmod(0o600)

    processes = [
        CredentialStorage(
            tmp_path / "credentials.json",
            choose_keys(tmp_path / "credentials.key", tmp_path / "cache", passphrase_file=file),
        )
        for _ in range(2)
    ]
    processes[0].store_api_key("a", "k")

    assert processes[1].protection is Protection.PASSPHRASE
    assert [entry.provider for entry in processes[1].entries()] == ["a"]


@pytest.mark.parametrize("content", [None, "", "two\nlines\n", "\xff"])
def test_a_passphrase_file_that_is_no_good_is_named(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    if content is not None:
        file.write_bytes(content.encode("latin-1"))
        file.chmod(0o600)

    with pytest.raises(CredentialStoreError, match=str(file)) as caught:
        Passphrase(file=file).create()

    assert caught.value.state == "locked"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes; its user folders are private")
def test_a_passphrase_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("everybody's\n")
    file.chmod(0o644)

    with pytest.raises(CredentialStoreError, match="is readable by others") as caught:
        Passphrase(file=file).create()

    assert caught.value.hint == f"chmod 600 {file}"


# --- changing it ------------------------------------------------------------------------------------------


def test_changing_the_protection_keeps_every_entry_and_forgets_the_old_key(desk: Desk) -> None:
    desk.passphrase = "right"
    storage = desk.storage(Protection.KEY_FILE)
    storage.store_api_key("a", "k")
    storage.store_oauth_token("b", "t", account="x")
    before = storage.entries()
    seen = []

    for protection in (Protection.KEYCHAIN, Protection.PASSPHRASE, Protection.KEY_FILE):
        seen.append(storage.reprotect(desk.keys(protection)))
        assert desk.storage().entries() == storage.entries() == before

    assert seen == [Protection.KEYCHAIN, Protection.PASSPHRASE, Protection.KEY_FILE]
    assert json.loads(desk.items.read_text()) == {}
    assert len((desk.folder / "credentials.key").read_text().splitlines()) == 1


def test_a_passphrase_can_be_changed_for_another(desk: Desk) -> None:
    desk.passphrase = "old"
    storage = desk.storage(Protection.PASSPHRASE)
    storage.store_api_key("a", "k")
    desk.passphrase = "new"
    storage.reprotect(desk.keys(Protection.PASSPHRASE))

    desk.passphrase = "old"
    with_old = desk.storage().state.name
    desk.passphrase = "new"

    assert with_old == "wrong_key"
    assert desk.storage().get("a") is not None


def test_a_protection_that_can_not_be_had_changes_nothing(desk: Desk) -> None:
    storage = desk.storage(Protection.KEY_FILE)
    storage.store_api_key("a", "k")
    before = (desk.folder / "credentials.json").read_bytes()
    desk.temper = "Locked"

    with pytest.raises(CredentialStoreError, match="it is locked"):
        storage.reprotect(desk.keys(Protection.KEYCHAIN))

    assert (desk.folder / "credentials.json").read_bytes() == before
    assert desk.storage().get("a") is not None


def test_a_process_follows_a_change_of_key_by_another(desk: Desk) -> None:
    desk.passphrase = "right"
    first = desk.storage(Protection.KEY_FILE)
    first.store_api_key("a", "k")
    second = desk.storage()
    second.get("a")

    first.reprotect(desk.keys(Protection.PASSPHRASE))
    second.store_api_key("b", "k2")

    assert [entry.provider for entry in first.entries()] == ["a", "b"]


# --- the key itself ---------------------------------------------------------------------------------------


def test_a_data_key_shows_nothing_of_itself() -> None:
    key = DataKey(b"\x41" * 32)

    shown = f"{key!r} {key} {NewKey(key, KeyHeader(key.id, Protection.KEY_FILE))!r}"

    assert "A" * 8 not in shown
    assert "41" * 8 not in shown
    assert key.reveal().hex()[:16] not in key.id
    with pytest.raises(ValueError, match="32 bytes"):
        DataKey(b"short")


def test_neither_help_nor_an_import_nor_an_empty_store_loads_the_cipher(tmp_path: Path) -> None:
    script = (
        "import sys, llm_orc, llm_orc.auth.storage, llm_orc.auth.stores.choose as c\n"
        "from pathlib import Path\n"
        "folder = Path(sys.argv[1])\n"
        "keys = c.choose_keys(folder / 'k', folder / 'c')\n"
        "assert llm_orc.auth.storage.CredentialStorage(folder / 's', keys).get('a') is None\n"
        "print([m for m in ('cryptography', 'keyring', 'filelock') if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
