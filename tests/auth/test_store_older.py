"""Stores of earlier releases: read as they are, never written, never in the way."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_orc.auth.access import Billing
from llm_orc.auth.credential import ApiKey, OAuthToken
from llm_orc.auth.secret import Secret
from llm_orc.auth.storage import CredentialStorage
from llm_orc.auth.stores.key_file import KeyFile
from llm_orc.auth.stores.older import FernetStore
from tests.examples import many

ENTRIES: dict[str, object] = {
    "anthropic-api": {"auth_method": "api_key", "api_key": "sk-old"},
    "openai-compatible/lab": {"auth_method": "api_key", "api_key": "sk-lab"},
    "anthropic-claude-pro-max": {
        "auth_method": "oauth",
        "access_token": "at-old",
        "refresh_token": "rt-old",
        "expires_at": 1_700_000_000,
        "client_id": "their-client",
    },
    "from-before-client-ids": {"auth_method": "oauth", "access_token": "at-older"},
    "claude-cli": {"auth_method": "api_key", "api_key": "/usr/local/bin/claude"},
}


class Machine:
    """A configuration folder in which earlier releases worked, and an even older one."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "config"
        self.ancient = folder / ".llm-orc"

    def leave(self, folder: Path, entries: object) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        key = Fernet.generate_key()
        (folder / ".encryption_key").write_bytes(key)
        (folder / "credentials.yaml").write_bytes(Fernet(key).encrypt(yaml.safe_dump(entries).encode()))
        for path in folder.iterdir():
            path.chmod(0o600)

    def storage(self) -> CredentialStorage:
        return CredentialStorage(
            self.config / "credentials.json",
            KeyFile(self.config / "credentials.key"),
            older=[FernetStore(self.config), FernetStore(self.ancient)],
            clock=lambda: 50.0,
        )

    def bytes_of_older(self) -> dict[Path, tuple[bytes, float]]:
        names = {".encryption_key", "credentials.yaml"}
        found = [path for folder in (self.config, self.ancient) if folder.exists() for path in folder.iterdir()]
        return {path: (path.read_bytes(), path.stat().st_mtime) for path in found if path.name in names}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.leave(machine.config, ENTRIES)
    return machine


def test_every_kind_of_entry_is_read_as_it_is(machine: Machine) -> None:
    found = {entry.provider: entry for entry in machine.storage().entries()}

    assert sorted(found) == sorted(set(ENTRIES) - {"claude-cli"})
    assert found["anthropic-api"].credential == ApiKey(Secret("sk-old"))
    assert found["anthropic-api"].billing is Billing.METERED
    assert found["openai-compatible/lab"].credential == ApiKey(Secret("sk-lab"))
    assert found["anthropic-claude-pro-max"].billing is Billing.SUBSCRIPTION
    assert found["anthropic-claude-pro-max"].credential == OAuthToken(
        Secret("at-old"), Secret("rt-old"), 1_700_000_000.0, client_id="their-client"
    )
    assert found["from-before-client-ids"].credential == OAuthToken(Secret("at-older"))
    assert {(e.account, e.source, e.is_active) for e in found.values()} == {("default", "older-store", True)}


def test_a_path_that_was_kept_as_a_key_is_not_one_and_is_told(machine: Machine) -> None:
    storage = machine.storage()

    assert storage.get("claude-cli") is None
    (notice,) = storage.notices
    assert "`claude-cli`" in notice
    assert "/usr/local/bin/claude" not in notice


def test_reading_makes_no_store_and_touches_nothing(machine: Machine) -> None:
    before = machine.bytes_of_older()
    storage = machine.storage()

    storage.entries()
    storage.get("anthropic-api")

    assert storage.state.name == "absent"
    assert machine.bytes_of_older() == before
    assert sorted(path.name for path in machine.config.iterdir()) == [".encryption_key", "credentials.yaml"]


def test_a_renewed_token_goes_to_our_store_and_supersedes_the_old_one(machine: Machine) -> None:
    before = machine.bytes_of_older()
    token = OAuthToken(Secret("at-new"), Secret("rt-new"), client_id="their-client")

    machine.storage().update(
        "anthropic-claude-pro-max", None, lambda entry: replace(entry, credential=token, refreshed_at=50.0)
    )

    found = machine.storage().get("anthropic-claude-pro-max")
    assert found is not None
    assert found.credential == token
    assert (found.source, found.billing, found.refreshed_at) == ("own", Billing.SUBSCRIPTION, 50.0)
    assert machine.bytes_of_older() == before
    assert len([e for e in machine.storage().entries() if e.provider == "anthropic-claude-pro-max"]) == 1


def test_what_was_removed_does_not_come_back_from_an_older_store(machine: Machine) -> None:
    machine.storage().store_api_key("anthropic-api", "sk-new")

    removed = [machine.storage().remove("anthropic-api"), machine.storage().remove("from-before-client-ids")]
    again = machine.storage().remove("anthropic-api")

    assert [entry is not None for entry in removed] == [True, True]
    assert again is None
    assert machine.storage().get("anthropic-api") is None
    assert machine.storage().get("from-before-client-ids") is None
    assert machine.storage().store_api_key("anthropic-api", "sk-newer") == machine.storage().get("anthropic-api")


def test_what_was_removed_while_the_older_store_could_not_be_read_stays_removed(machine: Machine) -> None:
    key = machine.config / ".encryption_key"
    kept = key.read_bytes()
    machine.storage().store_api_key("anthropic-api", "sk-new")
    key.write_bytes(Fernet.generate_key())

    machine.storage().remove("anthropic-api")
    key.write_bytes(kept)

    assert machine.storage().get("anthropic-api") is None


def test_switching_between_an_older_account_and_a_new_one_works_both_ways(machine: Machine) -> None:
    machine.storage().store_api_key("anthropic-api", "sk-work", account="work")

    newest = machine.storage().get("anthropic-api")
    machine.storage().activate("anthropic-api", "default")
    chosen = machine.storage().get("anthropic-api")

    assert newest is not None
    assert newest.account == "work"
    assert chosen is not None
    assert (chosen.account, chosen.credential, chosen.source) == ("default", ApiKey(Secret("sk-old")), "own")


def test_the_newer_of_two_older_stores_wins(machine: Machine) -> None:
    machine.leave(
        machine.ancient,
        {
            "anthropic-api": {"auth_method": "api_key", "api_key": "sk-ancient"},
            "google-gemini": {"auth_method": "api_key", "api_key": "sk-google"},
        },
    )

    found = {entry.provider: entry.credential for entry in machine.storage().entries()}

    assert found["anthropic-api"] == ApiKey(Secret("sk-old"))
    assert found["google-gemini"] == ApiKey(Secret("sk-google"))


DAMAGE = ["another key", "no key", "cut short", "not a mapping", "not YAML", "a link", "a garbled key", "not text"]


@pytest.mark.parametrize("damage", DAMAGE)
def test_an_older_store_that_can_not_be_read_is_told_kept_and_not_in_the_way(
    damage: str, machine: Machine
) -> None:
    data, key = machine.config / "credentials.yaml", machine.config / ".encryption_key"
    fernet = Fernet(key.read_bytes())
    match damage:
        case "another key":
            key.write_bytes(Fernet.generate_key())
        case "a garbled key":
            key.write_bytes(b"\xff" * 44)
        case "no key":
            key.unlink()
        case "cut short":
            data.write_bytes(data.read_bytes()[:60])
        case "not a mapping":
            data.write_bytes(fernet.encrypt(b"- sk-canary-1"))
        case "not YAML":
            data.write_bytes(fernet.encrypt(b"key: [sk-canary-1"))
        case "not text":
            data.write_bytes(fernet.encrypt(b"\xff\xfesk-canary-1"))
        case _:
            if os.name == "nt":
                pytest.skip("links need rights on Windows")
            data.rename(machine.config / "elsewhere")
            data.symlink_to(machine.config / "elsewhere")
    before = machine.bytes_of_older()
    storage = machine.storage()

    storage.store_api_key("a", "k")

    assert [entry.provider for entry in storage.entries()] == ["a"]
    (notice,) = storage.notices
    assert str(data) in notice
    assert "left unchanged" in notice
    assert "canary" not in notice
    assert machine.bytes_of_older() == before


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)
fields = ["auth_method", "api_key", "access_token", "refresh_token", "expires_at", "client_id"]


@given(
    st.dictionaries(st.text(max_size=5), st.dictionaries(st.sampled_from(fields), odd | st.just("oauth")) | odd)
)
@settings(max_examples=many(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_content_of_an_older_store_raises(machine: Machine, content: dict[str, object]) -> None:
    machine.leave(machine.config, content)

    found = FernetStore(machine.config).read()

    assert all(entry.credential for entry in found.entries)


def test_a_bad_entry_does_not_hide_the_others(machine: Machine) -> None:
    machine.leave(
        machine.config, {"a": {"auth_method": "oauth"}, "b": {"auth_method": "api_key", "api_key": "k"}, "c": 5}
    )
    storage = machine.storage()

    assert [entry.provider for entry in storage.entries()] == ["b"]
    assert len(storage.notices) == 2


def test_a_damaged_own_entry_is_not_replaced_by_the_spent_one_of_an_older_store(machine: Machine) -> None:
    machine.storage().store_api_key("anthropic-api", "sk-new")
    path = machine.config / "credentials.json"
    path.write_text(path.read_text().replace('"ciphertext": "', '"ciphertext": "AAAA'))

    assert "anthropic-api" not in [entry.provider for entry in machine.storage().entries()]
