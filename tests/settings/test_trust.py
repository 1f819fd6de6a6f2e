from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from llm_orc.errors import StorageError
from llm_orc.settings.trust import TrustStore

if TYPE_CHECKING:
    from pathlib import Path


def test_trust_is_for_one_directory_with_one_digest(tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "trust.json")
    (tmp_path / "a").mkdir()
    store.trust(tmp_path / "a", {"part": "digest"})

    assert store.is_trusted(tmp_path / "a", "part", "digest")
    assert not store.is_trusted(tmp_path / "a", "part", "other")
    assert not store.is_trusted(tmp_path / "b", "part", "digest")
    assert not store.is_trusted(tmp_path, "part", "digest")


def test_trust_can_be_listed_and_taken_back(tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "trust.json")
    store.trust(tmp_path / "b", {"part": "2"})
    store.trust(tmp_path / "a", {"part": "1"})

    assert [(t.root, t.parts) for t in store.listing()] == [
        (tmp_path / "a", {"part": "1"}),
        (tmp_path / "b", {"part": "2"}),
    ]
    assert store.forget(tmp_path / "a")
    assert not store.forget(tmp_path / "a")
    assert [t.root for t in store.listing()] == [tmp_path / "b"]


def test_a_link_to_a_trusted_directory_is_that_directory(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    store = TrustStore(tmp_path / "trust.json")
    store.trust(tmp_path / "link", {"part": "d"})

    assert store.is_trusted(tmp_path / "real", "part", "d")


def test_a_link_that_points_elsewhere_now_is_not_trusted(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "one")
    store = TrustStore(tmp_path / "trust.json")
    store.trust(tmp_path / "link", {"part": "d"})

    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(tmp_path / "two")

    assert not store.is_trusted(tmp_path / "link", "part", "d")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_the_file_is_its_owners_only(tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "trust.json")

    store.trust(tmp_path, {"part": "d"})

    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"projects": {}}',
        b'{"version": 3, "projects": {}}',
        b'{"version": 2, "projects": {"/a": "digest"}}',
        b'{"version": 2, "projects": {"/a": {"part": 1}}}',
        b'{"version": 1}',
        b'{"version": 1, "projects": {"/a": true}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_named_and_never_overwritten(tmp_path: Path, content: bytes) -> None:
    store = TrustStore(tmp_path / "trust.json")
    store.path.write_bytes(content)

    for use in (
        lambda: store.is_trusted(tmp_path, "part", "d"),
        lambda: store.trust(tmp_path, {"part": "d"}),
        lambda: store.forget(tmp_path),
        store.listing,
    ):
        with pytest.raises(StorageError, match=r"trust\.json"):
            use()

    assert store.path.read_bytes() == content


BILL = ["openai", "gpt-5-mini", "api-key", "metered", "environment variable OPENAI_API_KEY", "https://api.test"]


def test_bills_are_agreed_to_for_one_file_with_one_content_and_are_taken_back(tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "trust.json")
    store.trust(tmp_path, {"part": "digest"})
    store.agree("/panel.yaml", "digest", [BILL])
    store.agree("/panel.yaml", "digest", [BILL, [*BILL[:5], "https://other.test"]])

    assert len(store.agreed("/panel.yaml", "digest")) == 2
    assert store.agreed("/panel.yaml", "other") == store.agreed("/pair.yaml", "digest") == []
    assert store.is_trusted(tmp_path, "part", "digest")
    assert store.disagree("/panel.yaml")
    assert not store.disagree("/panel.yaml")
    assert store.agreements() == {}
    assert store.is_trusted(tmp_path, "part", "digest")


def test_the_oldest_contents_of_a_file_are_forgotten(tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "trust.json")
    for number in range(12):
        store.agree("/panel.yaml", f"{number}", [BILL])

    assert [*store.agreements()["/panel.yaml"]] == [f"{number}" for number in range(4, 12)]


@pytest.mark.parametrize(
    "agreements", ["[]", '{"/a": []}', '{"/a": {"d": [["openai"]]}}', '{"/a": {"d": [[1,2,3,4,5,6]]}}']
)
def test_damaged_agreements_are_an_error_and_stay(tmp_path: Path, agreements: str) -> None:
    file = tmp_path / "trust.json"
    file.write_text(f'{{"version": 2, "projects": {{}}, "agreements": {agreements}}}')

    with pytest.raises(StorageError, match="malformed"):
        TrustStore(file).agreements()
