"""A place of credentials that a program adds from outside, by one row: everything that tells of access knows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llm_orc.auth.secret import Secret
from llm_orc.auth.source import FoundKey
from llm_orc.auth.sources.source import FoundCredential, Places, Source, Wanted
from llm_orc.auth.sources.table import SOURCES
from llm_orc.auth.standing import key_standing
from tests.fakes.access_place import Place, whole_story

KEY = "sk-of-the-vault"


def in_vault(wanted: Wanted, places: Places) -> Iterator[FoundCredential]:
    if wanted.provider == "openai":
        key = FoundKey(Secret(KEY), "the vault", named=False)
        standing = key_standing(key.secret, wanted.origin, places.refusals, "the vault", wanted.provider)
        yield FoundCredential("vault", "api-key", "the vault", "key of the vault", standing, key=key)


@pytest.fixture
def vault() -> Iterator[None]:
    SOURCES["vault"] = Source("vault", in_vault, "the vault has it", rank=3)
    yield
    del SOURCES["vault"]


@pytest.mark.usefixtures("vault")
async def test_its_credential_is_used_and_told_everywhere(place: Place) -> None:
    place.settings("openai")

    used, sent = await whole_story(place, "openai")

    assert used is not None
    assert (used.place, used.source, used.use, sent) == ("vault", "the vault", "the vault has it", KEY)


@pytest.mark.usefixtures("vault")
async def test_what_was_set_up_goes_before_it(place: Place) -> None:
    place.settings("openai")
    place.key("openai", "sk-stored")

    used, sent = await whole_story(place, "openai")

    assert used is not None
    assert (used.place, sent) == ("store", "sk-stored")


@pytest.mark.usefixtures("vault")
async def test_a_refused_one_is_not_sent(place: Place) -> None:
    place.settings("openai")
    place.refuse("openai", KEY)

    assert await whole_story(place, "openai") == (None, "")
