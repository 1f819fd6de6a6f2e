"""The clients that sign-ins register, and the id of the machine."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llm_orc.auth.registrations import Registration, Registrations
from llm_orc.errors import CredentialStoreError

ISSUER = "https://id.example"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "registrations.json"


def test_the_id_of_the_machine_is_made_once_for_all_processes(path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(lambda _: Registrations(path).host_id(), range(8)))

    [host_id] = ids
    assert host_id.startswith("urn:uuid:")
    assert host_id[23] == "4"  # a random UUID (RFC 9562 §5.4)
    assert Registrations(path).host_id() == host_id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_each_account_has_its_client_and_only_its_own_server_gets_it(path: Path) -> None:
    one = Registration("acme", "default", ISSUER, "client-1", "person")
    two = Registration("acme", "work", ISSUER, "client-2")
    Registrations(path).keep(one)
    Registrations(path).keep(two)

    found = Registrations(path)

    assert found.of("acme", "default", ISSUER) == one
    assert found.of("acme", "work", ISSUER) == two
    assert found.of("acme", "work", "https://elsewhere.example") is None
    assert found.of("other", "work", ISSUER) is None


def test_a_client_is_replaced_and_forgotten(path: Path) -> None:
    registrations = Registrations(path)
    host_id = registrations.host_id()
    registrations.keep(Registration("acme", "default", ISSUER, "client-1"))
    registrations.keep(Registration("acme", "default", ISSUER, "client-2"))

    found = registrations.of("acme", "default", ISSUER)

    assert found is not None
    assert found.client_id == "client-2"
    assert registrations.forget("acme", "default")
    assert not registrations.forget("acme", "default")
    assert registrations.of("acme", "default", ISSUER) is None
    assert registrations.host_id() == host_id


def test_a_damaged_file_is_not_overwritten(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("{", encoding="utf-8")
    path.chmod(0o600)

    with pytest.raises(CredentialStoreError, match="is damaged") as caught:
        Registrations(path).host_id()

    assert caught.value.state == "corrupt"
    assert path.read_text(encoding="utf-8") == "{"
