"""The value of `--store`: a file or a server, and never a password."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.batches.store_url import parse_store_url
from llm_orc.errors import InputError

DEFAULT = Path("/state/batches.sqlite")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (None, DEFAULT),
        ("/data/own.sqlite", Path("/data/own.sqlite")),
        ("own.sqlite", Path("own.sqlite")),
        ("~/own.sqlite", Path("~/own.sqlite")),
        ("sqlite:////data/own.sqlite", Path("/data/own.sqlite")),
        ("sqlite:///own.sqlite", Path("own.sqlite")),
        ("sqlite:///", DEFAULT),
    ],
)
def test_a_path_or_a_url_of_sqlite_is_a_file_of_one_worker(text: str | None, path: Path) -> None:
    found = parse_store_url(text, DEFAULT)

    assert found.path == path.expanduser().resolve()
    assert not found.is_shared
    assert str(found) == str(found.path)
    assert found.sqlalchemy_url == f"sqlite:///{found.path}"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_url_of_postgresql_is_shared_and_shown_as_it_was_given(scheme: str) -> None:
    found = parse_store_url(f"{scheme}://me@host:5433/db?sslmode=require", DEFAULT)

    assert found.is_shared
    assert found.path is None
    assert found.sqlalchemy_url == "postgresql+psycopg://me@host:5433/db?sslmode=require"
    assert str(found) == "postgresql://me@host:5433/db?sslmode=require"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mysql://host/db", "`mysql` is not a kind of store"),
        ("sqlite://own.sqlite", "`sqlite` is not a kind of store"),
        ("postgresql://me:secret@host/db", "contains a password"),
        ("postgresql://host/db?password=secret", "contains a password"),
        ("postgresql://me@host:port/db", "the port in the store's URL is not a number: `host:port/db`"),
    ],
)
def test_any_other_url_is_refused_and_no_password_is_shown(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_store_url(text, DEFAULT)

    assert said in refused.value.message
    assert "secret" not in f"{refused.value.message} {refused.value.hint}"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/@:?#[]"), min_size=1, max_size=20))
def test_whatever_the_password_is_it_is_in_no_store_and_no_message(password: str) -> None:
    secret = f"canary-{password}-5512"
    with pytest.raises(InputError) as refused:
        parse_store_url(f"postgresql://me:{secret}@host/db", DEFAULT)

    assert "canary" not in f"{refused.value.message} {refused.value.hint}"
