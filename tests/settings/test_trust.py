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
