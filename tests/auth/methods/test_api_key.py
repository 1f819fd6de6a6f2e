"""API keys that their user brings."""

from __future__ import annotations

import pytest

from llm_orc.auth.credential import ApiKey
from llm_orc.auth.methods.api_key import ApiKeyLogin, checked_key
from llm_orc.auth.secret import Secret
from llm_orc.errors import KeyMalformed
from tests.auth.methods import suite
from tests.fakes.people import Person


@pytest.mark.parametrize("text", ["sk-canary-1", "  sk-canary-1\n", "\ufeffsk-canary-1\r\n"])
async def test_a_key_is_taken_without_the_space_around_it(text: str, person: Person) -> None:
    login = await suite.brings_a_credential(ApiKeyLogin(Secret(text)), person)

    assert login.credential == ApiKey(Secret("sk-canary-1"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("sk-canary\nsk-other", "more than one line"),
        ("sk canary", "space"),
        ("sk-canary\x1b[0m", r"U\+001B"),
        ("sk-canary-é", r"U\+00E9"),
        ("k" * 8193, "longer"),
    ],
)
def test_what_can_not_be_a_key_is_refused_without_repeating_it(text: str, words: str) -> None:
    with pytest.raises(KeyMalformed, match=words) as caught:
        checked_key(Secret(text))

    assert "canary" not in caught.value.message


def test_its_repr_hides_the_key() -> None:
    assert "canary" not in repr(ApiKeyLogin(Secret("sk-canary")))
