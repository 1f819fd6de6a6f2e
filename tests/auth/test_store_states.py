"""A store that can't be read is told apart, named, and kept."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_orc.auth.credential import ApiKey
from llm_orc.auth.secret import Secret
from llm_orc.auth.storage import CredentialStorage
from llm_orc.auth.stores.key_file import KeyFile
from llm_orc.auth.stores.sealing import Sealer
from llm_orc.errors import CredentialStoreError
from tests.examples import many

posix = pytest.mark.skipif(
    os.name == "nt", reason="Windows has no file modes and owners; its user folders are private"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a store of two providers."""
    folder = tmp_path / "config"
    storage = opened(folder)
    storage.store_api_key("a", "key-of-a")
    storage.store_api_key("b", "key-of-b")
    return folder


def opened(folder: Path) -> CredentialStorage:
    return CredentialStorage(folder / "credentials.json", KeyFile(folder / "credentials.key"), clock=lambda: 0.0)


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "credentials.json").read_text())
    return found


def put(folder: Path, changed: dict[str, Any]) -> None:
    (folder / "credentials.json").write_text(json.dumps(changed))


OURS = b'{"format": "llm-orc-credentials", "version": 1, '
COSTLY = (
    b'"key": {"id": "0", "protection": "passphrase", "scrypt": {"n": 1099511627776, "r": 8, "p": 1, "salt": ""}}'
)
UNUSABLE = {
    "empty": (b"", "corrupt"),
    "zeroes after a power failure": (b"\0" * 700, "corrupt"),
    "cut short": (OURS + b'"key": {"id": "00', "corrupt"),
    "without a key header": (OURS + b'"entries": {}}', "corrupt"),
    "without entries": (OURS + b'"key": {"id": "0", "protection": "key-file"}}', "corrupt"),
    "an unknown protection": (OURS + b'"entries": {}, "key": {"id": "0", "protection": "?"}}', "corrupt"),
    "a costly passphrase header": (OURS + COSTLY + b', "entries": {}}', "corrupt"),
    "another key's": (
        OURS + b'"entries": {"a/0": {}}, "key": {"id": "0", "protection": "key-file"}}',
        "wrong_key",
    ),
    "a version that is no number": (b'{"format": "llm-orc-credentials", "version": "1"}', "corrupt"),
    "of a newer release": (b'{"format": "llm-orc-credentials", "version": 2, "sealed": "x"}', "foreign"),
    "another program's": (b'{"accounts": []}', "foreign"),
    "no object": (b"[1, 2]", "foreign"),
    "deeply nested": (b"[" * 100_000, "foreign"),
    "an older store's token": (b"gAAAAABk" + b"x" * 100, "foreign"),
    "binary": (bytes(range(256)), "foreign"),
}


@pytest.mark.parametrize(("data", "state"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_store_that_is_no_good_is_told_apart_and_never_written(data: bytes, state: str, folder: Path) -> None:
    path = folder / "credentials.json"
    path.write_bytes(data)
    storage = opened(folder)

    found = storage.state
    for change in (
        lambda: storage.store_api_key("a", "new"),
        lambda: storage.update("a", None, lambda entry: entry),
        lambda: storage.remove("a"),
        lambda: storage.activate("a", "default"),
        lambda: storage.reprotect(KeyFile(folder / "credentials.key")),
        lambda: storage.get("a"),
        storage.entries,
    ):
        with pytest.raises(CredentialStoreError) as caught:
            change()
        assert caught.value.state == state

    assert found.name == state
    assert not found.is_usable
    assert str(folder) in found.words
    assert path.read_bytes() == data


@given(st.binary(max_size=300) | st.integers(0, 5000).map(lambda n: b"\0" * n))
@settings(max_examples=many(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_reading_raise_anything_else(folder: Path, data: bytes) -> None:
    (folder / "credentials.json").write_bytes(data)

    assert opened(folder).state.name in {"corrupt", "foreign"}


@given(st.data())
@settings(max_examples=many(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_byte_of_a_store_is_changed_no_wrong_credential_comes_out(
    folder: Path, data: st.DataObject
) -> None:
    path = folder / "credentials.json"
    pristine = path.read_bytes()
    place = data.draw(st.integers(0, len(pristine) - 1))
    changed = bytes([data.draw(st.integers(0, 255))])
    path.write_bytes(pristine[:place] + changed + pristine[place + 1 :])

    try:
        found = opened(folder).entries()
    except CredentialStoreError as e:
        assert e.state in {"corrupt", "foreign", "wrong_key"}  # noqa: PT017
    else:
        expected = {ApiKey(Secret("key-of-a")), ApiKey(Secret("key-of-b"))}
        assert {entry.credential for entry in found} <= expected
        assert all(entry.credential == ApiKey(Secret(f"key-of-{entry.provider}")) for entry in found)
    path.write_bytes(pristine)


@pytest.mark.parametrize("lost", ["removed", "of another store", "not ours", "empty"])
def test_without_its_key_file_a_store_is_kept_and_no_new_key_is_made(
    lost: str, folder: Path, tmp_path: Path
) -> None:
    key = folder / "credentials.key"
    before = (folder / "credentials.json").read_bytes()
    match lost:
        case "removed":
            key.unlink()
        case "of another store":
            opened(tmp_path / "other").store_api_key("c", "k")
            key.write_bytes((tmp_path / "other" / "credentials.key").read_bytes())
        case "not ours":
            key.write_text("-----BEGIN PRIVATE KEY-----\n")
        case _:
            key.write_bytes(b"")
    left = key.read_bytes() if key.exists() else None

    with pytest.raises(CredentialStoreError, match=r"credentials\.key") as caught:
        opened(folder).store_api_key("a", "new")

    assert caught.value.state == "wrong_key"
    assert (folder / "credentials.json").read_bytes() == before
    assert (key.read_bytes() if key.exists() else None) == left


def test_somebody_elses_key_file_is_not_added_to(tmp_path: Path) -> None:
    (tmp_path / "credentials.key").write_text("-----BEGIN PRIVATE KEY-----\n")

    with pytest.raises(CredentialStoreError, match="not a key file of llm-orc") as caught:
        opened(tmp_path).store_api_key("a", "k")

    assert caught.value.state == "foreign"
    assert (tmp_path / "credentials.key").read_text() == "-----BEGIN PRIVATE KEY-----\n"


def test_a_store_that_is_no_good_is_set_aside_only_on_request(folder: Path) -> None:
    path = folder / "credentials.json"
    storage = opened(folder)
    with pytest.raises(CredentialStoreError, match="nothing was moved"):
        storage.set_aside()
    path.write_bytes(b"first")

    first = storage.set_aside()
    storage.store_api_key("a", "new")
    path.write_bytes(b"second")
    second = storage.set_aside()

    assert first.name == "credentials.json.corrupt-19700101T000000Z"
    assert (first.read_bytes(), second.read_bytes()) == (b"first", b"second")
    assert storage.state.name == "absent"


# --- single entries ---------------------------------------------------------------------------------------


def test_one_damaged_entry_leaves_the_others_readable_and_writable(folder: Path) -> None:
    changed = document(folder)
    slot = next(slot for slot in changed["entries"] if slot.startswith("a/"))
    changed["entries"][slot]["ciphertext"] = "AAAA" + changed["entries"][slot]["ciphertext"][4:]
    put(folder, changed)
    storage = opened(folder)

    with pytest.raises(CredentialStoreError, match="an entry of `a`") as caught:
        storage.get("a")
    storage.store_api_key("c", "key-of-c")

    assert caught.value.state == "corrupt"
    assert caught.value.hint == "Add it again: `llm-orc auth add a`; or delete it: `llm-orc auth remove a`."
    assert [entry.provider for entry in storage.entries()] == ["b", "c"]
    assert "an entry of `a` is damaged; the others are not" in storage.notices
    assert document(folder)["entries"][slot] == changed["entries"][slot]
    with pytest.raises(CredentialStoreError, match="an entry of `a` is damaged"):
        storage.reprotect(KeyFile(folder / "credentials.key"))


@pytest.mark.parametrize("remedy", ["remove", "sign in again"])
def test_a_damaged_entry_goes_when_its_user_says_so(remedy: str, folder: Path) -> None:
    changed = document(folder)
    slot = next(slot for slot in changed["entries"] if slot.startswith("a/"))
    changed["entries"][slot] = "garbage"
    put(folder, changed)
    storage = opened(folder)

    if remedy == "remove":
        storage.remove("a")
    else:
        storage.store_api_key("a", "again")

    assert storage.get("a") == (None if remedy == "remove" else storage.get("a", "default"))
    assert storage.notices == ()


def test_entries_can_not_be_swapped_between_slots(folder: Path) -> None:
    changed = document(folder)
    first, second = changed["entries"]
    changed["entries"][first], changed["entries"][second] = changed["entries"][second], changed["entries"][first]
    put(folder, changed)

    assert opened(folder).entries() == ()
    assert len(opened(folder).notices) == 2


def test_what_a_newer_release_wrote_is_kept_and_not_used(folder: Path) -> None:
    contents = opened(folder)._file.read()
    assert contents is not None
    slot = contents.sealer.slot("new", "x")
    changed = document(folder)
    changed["hint"] = {"of": "a newer release"}
    changed["entries"][slot] = contents.sealer.seal(slot, {"provider": "new", "account": "x", "kind": "passkey"})
    put(folder, changed)
    storage = opened(folder)

    storage.store_api_key("c", "key-of-c")
    storage.reprotect(KeyFile(folder / "credentials.key"))

    assert [entry.provider for entry in storage.entries()] == ["a", "b", "c"]
    assert "an entry of `new` is of a newer release; it is kept but not used" in storage.notices
    assert document(folder)["hint"] == {"of": "a newer release"}
    after = storage._file.read()
    assert after is not None
    moved = after.sealer.slot("new", "x")
    assert after.sealer.open(moved, document(folder)["entries"][moved])["kind"] == "passkey"


def test_two_seals_of_one_entry_share_nothing(folder: Path) -> None:
    contents = opened(folder)._file.read()
    assert contents is not None
    sealer: Sealer = contents.sealer

    seals = [json.dumps(sealer.seal("a/0", {"key": "k"})) for _ in range(200)]

    assert len({json.loads(seal)["nonce"] for seal in seals}) == 200
    assert len({json.loads(seal)["ciphertext"] for seal in seals}) == 200


# --- the file itself --------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("name", ["credentials.json", "credentials.key"])
def test_a_link_in_the_files_place_is_refused_and_kept(name: str, folder: Path, tmp_path: Path) -> None:
    path, elsewhere = folder / name, tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    before = elsewhere.read_bytes()

    with pytest.raises(CredentialStoreError, match="symbolic link") as caught:
        opened(folder).store_api_key("a", "new")

    assert caught.value.state == "unsafe"
    assert path.is_symlink()
    assert elsewhere.read_bytes() == before


@posix
def test_a_pipe_or_a_folder_in_the_files_place_is_refused_at_once(folder: Path) -> None:
    path = folder / "credentials.json"
    path.unlink()
    os.mkfifo(path)

    found = opened(folder).state
    path.unlink()
    path.mkdir()

    assert found.name == "unsafe"
    assert "not a regular file" in found.words
    assert opened(folder).state.name == "unsafe"


@posix
def test_a_file_of_another_user_is_refused(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(folder / "credentials.json", 12345, -1)

    with pytest.raises(CredentialStoreError, match="belongs to another user") as caught:
        opened(folder).get("a")

    assert caught.value.state == "unsafe"


@posix
def test_a_mode_that_lets_others_in_is_repaired_with_a_notice(folder: Path) -> None:
    path, key = folder / "credentials.json", folder / "credentials.key"
    path.chmod(0o644)
    key.chmod(0o640)
    storage = opened(folder)

    found = storage.get("a")

    assert found is not None
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path, key)] == [0o600, 0o600]
    assert any("credentials.json` was readable by others (mode 0644)" in notice for notice in storage.notices)
    assert any("credentials.key` was readable by others (mode 0640)" in notice for notice in storage.notices)


@posix
def test_the_files_and_their_folder_are_private_from_the_start(folder: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}
    assert {"credentials.json", "credentials.key"} <= set(modes)


def test_a_locked_or_keyless_store_is_no_hindrance_to_a_provider_that_it_lacks(folder: Path) -> None:
    (folder / "credentials.key").unlink()
    storage = opened(folder)

    absent = storage.get("never signed in")

    assert absent is None
    assert storage.providers == ("a", "b")
    with pytest.raises(CredentialStoreError):
        storage.get("a")
