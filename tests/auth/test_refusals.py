"""What is remembered of a refusal: for one credential at one server, without the credential, and never in the way."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llm_orc.auth.refusals import RefusalMemory, is_final
from llm_orc.auth.secret import Secret
from llm_orc.errors import AccessRefused, CredentialRefused

HERE, THERE = "https://a.example", "https://b.example"
KEY = Secret("sk-canary-884213")


@pytest.fixture
def memory(tmp_path: Path) -> RefusalMemory:
    return RefusalMemory(tmp_path / "refusals.json", lambda: 7.0)


def test_it_holds_for_that_credential_at_that_server_until_it_is_forgotten(
    memory: RefusalMemory, tmp_path: Path
) -> None:
    memory.remember(HERE, KEY, CredentialRefused("no", provider_message=f"bad key {KEY.reveal()}\nsecond line"))
    again = RefusalMemory(tmp_path / "refusals.json", lambda: 8.0)

    found = again.find(HERE, KEY)
    others = [again.find(THERE, KEY), again.find(HERE, Secret("sk-another"))]
    again.forget(HERE, KEY)

    assert found is not None
    assert (found.at, "\n" in found.message) == (7.0, False)
    assert others == [None, None]
    assert memory.find(HERE, KEY) is None


def test_neither_the_credential_nor_a_plain_hash_of_it_is_in_the_file(
    memory: RefusalMemory, tmp_path: Path
) -> None:
    import hashlib

    memory.remember(HERE, KEY, CredentialRefused("no"))

    text = (tmp_path / "refusals.json").read_text()
    assert KEY.reveal() not in text
    assert hashlib.sha256(KEY.reveal().encode()).hexdigest() not in text
    if os.name != "nt":
        assert (tmp_path / "refusals.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"refusals": 5}', b"\xff\xfe", b'{"salt": null}'])
def test_a_file_that_can_not_be_read_is_begun_anew(memory: RefusalMemory, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "refusals.json").write_bytes(content)

    before = memory.find(HERE, KEY)
    memory.remember(HERE, KEY, CredentialRefused("no"))

    assert before is None
    assert memory.find(HERE, KEY) is not None


def test_a_place_that_can_not_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = RefusalMemory(tmp_path / "file" / "refusals.json", lambda: 7.0)

    memory.remember(HERE, KEY, CredentialRefused("no"))

    assert memory.find(HERE, KEY) is None


def test_many_at_once_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "refusals.json"

    def refuse(number: int) -> None:
        RefusalMemory(path, lambda: 7.0).remember(HERE, Secret(f"sk-{number}"), CredentialRefused("no"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(refuse, range(12)))

    memory = RefusalMemory(path, lambda: 7.0)
    assert all(memory.find(HERE, Secret(f"sk-{number}")) for number in range(12))


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (CredentialRefused("no", status=401), True),
        (CredentialRefused("no", status=400, provider_message="API key not valid"), True),
        (CredentialRefused("no", status=403, provider_message="no access to model `m`"), False),
        (CredentialRefused("no", status=403, provider_message="OAuth token has been revoked."), True),
        (AccessRefused("no", signature="claude_code_only", status=400), True),
    ],
)
def test_what_may_be_about_one_model_alone_is_not_remembered(
    refused: CredentialRefused | AccessRefused, expected: bool
) -> None:
    assert is_final(refused) is expected
