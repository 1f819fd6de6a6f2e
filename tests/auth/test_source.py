"""Where an API key is found, and what is said when it is not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from llm_orc.auth.source import find_api_key
from llm_orc.errors import KeyMalformed, NotLoggedIn

if TYPE_CHECKING:
    from pathlib import Path

USUAL = ("USUAL_KEY", "OTHER_KEY")
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")


def key_file(tmp_path: Path, content: bytes, mode: int = 0o600) -> Path:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_the_first_usual_variable_that_is_set_counts_and_is_named() -> None:
    found = find_api_key({"OTHER_KEY": "second"}, usual=USUAL)

    assert found is not None
    assert (found.secret.reveal(), found.source, found.named) == (
        "second",
        "environment variable OTHER_KEY",
        False,
    )
    assert "second" not in repr(found)


@pytest.mark.parametrize("environ", [{}, {"USUAL_KEY": ""}, {"USUAL_KEY": "  "}])
def test_an_empty_variable_is_none(environ: dict[str, str]) -> None:
    assert find_api_key(environ, usual=USUAL) is None


def test_a_named_variable_wins_over_the_usual_ones() -> None:
    found = find_api_key({"USUAL_KEY": "usual", "MINE": "mine"}, usual=USUAL, variable="MINE")

    assert found is not None
    assert (found.secret.reveal(), found.named) == ("mine", True)


def test_a_named_variable_that_is_not_set_never_falls_to_a_usual_one() -> None:
    with pytest.raises(NotLoggedIn, match="MINE"):
        find_api_key({"USUAL_KEY": "usual"}, usual=USUAL, variable="MINE")


@pytest.mark.parametrize("content", [b"sk-1\n", b"  sk-1  ", b"\xef\xbb\xbfsk-1\r\n"])
def test_a_key_file_holds_the_key_alone(tmp_path: Path, content: bytes) -> None:
    found = find_api_key({}, usual=USUAL, file=key_file(tmp_path, content))

    assert found is not None
    assert found.secret.reveal() == "sk-1"
    assert found.source.startswith("key file ")


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"\xff\xfe\x00", b"k" * 100_000])
def test_anything_else_in_a_key_file_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(KeyMalformed, match="is not a valid API key") as caught:
        find_api_key({}, usual=USUAL, file=key_file(tmp_path, content))

    assert "two words" not in str(caught.value)


@posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
def test_a_key_file_that_others_can_read_is_refused_with_the_mend(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, b"sk-1", mode)

    with pytest.raises(NotLoggedIn, match="readable by others") as caught:
        find_api_key({}, usual=USUAL, file=path)

    assert caught.value.hint == f"chmod 600 {path}"


@posix
def test_a_pipe_named_as_key_file_does_not_hang(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)

    with pytest.raises(NotLoggedIn, match="not a regular file"):
        find_api_key({}, usual=USUAL, file=pipe)


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotLoggedIn, match="no-such-file"):
        find_api_key({}, usual=USUAL, file=tmp_path / "no-such-file")
