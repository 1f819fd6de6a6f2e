"""Contents of files: their types, and the folder that keeps each once."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

import pytest

from llm_orc.errors import StorageError
from llm_orc.storage.contents.store import ContentStore
from llm_orc.storage.contents.types import text_of, type_of_content

if TYPE_CHECKING:
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n\0\0"


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (PNG, "a.txt", "image/png"),
        (b"\xff\xd8\xff\xe0", "a", "image/jpeg"),
        (b"GIF89a\0", "a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "a", "image/webp"),
        (b"%PDF-1.7\n\xe2\xe3", "a.png", "application/pdf"),
        (b"\xe2\xff%PDF-1.7\n", "a", "application/pdf"),
        (b"PK\x03\x04", "a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (b"PK\x03\x04", "a.png", "application/zip"),
        (b"plain \xc3\xa4", "a", "text/plain"),
        (b"BMW is a firm", "a", "text/plain"),
        (b"# x", "A.MD", "text/markdown"),
        (b"a,b", "a.csv", "text/csv"),
        ("hällo".encode("utf-16"), "a.txt", "text/plain"),
        (b"<svg/>", "a.svg", "text/plain"),
        (b"caf\xe9", "a.txt", "application/octet-stream"),
        (b"a\0b", "a.txt", "application/octet-stream"),
    ],
)
def test_a_type_is_that_of_the_content(data: bytes, name: str, kind: str) -> None:
    assert type_of_content(data, name) == kind


def test_text_is_read_as_its_mark_says() -> None:
    assert text_of("hällo".encode("utf-16")) == text_of("hällo".encode("utf-8-sig")) == "hällo"
    assert text_of(b"a\0b") is None


def hashed(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_content_is_kept_once_and_for_its_owner_only(tmp_path: Path) -> None:
    store = ContentStore(tmp_path / "files")
    store.put({hashed(b"one"): b"one", hashed(b"two"): b"two"})
    store.put({hashed(b"one"): b"one"})

    files = list(store.folder.glob("??/*"))
    assert (store.get(hashed(b"one")), store.get(hashed(b"three"))) == (b"one", None)
    assert len(files) == 2
    if os.name != "nt":
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert {stat.S_IMODE(path.parent.stat().st_mode) for path in files} == {0o700}


def test_what_nothing_refers_to_is_removed(tmp_path: Path) -> None:
    store = ContentStore(tmp_path / "files")
    assert store.keep(set) == 0
    store.put({hashed(b"one"): b"one", hashed(b"two"): b"two"})

    assert store.keep(lambda: {hashed(b"two")}) == 1
    assert (store.has(hashed(b"one")), store.get(hashed(b"two"))) == (False, b"two")


def test_a_damaged_content_is_not_returned(tmp_path: Path) -> None:
    store = ContentStore(tmp_path / "files")
    store.put({hashed(b"one"): b"one"})
    next(store.folder.glob("??/*")).write_bytes(b"other")

    with pytest.raises(StorageError, match="is damaged"):
        store.get(hashed(b"one"))
