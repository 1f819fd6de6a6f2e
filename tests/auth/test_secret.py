"""A secret masks itself wherever Python might show, copy or store it."""

from __future__ import annotations

import copy
import pickle
import traceback

import pytest

from llm_orc.auth.apply import ApiKeyHeader, NoCredential
from llm_orc.auth.secret import Secret

CANARY = "sk-canary-93475"


@pytest.mark.parametrize("shown", [repr, str, "{}".format, "{!r:>30}".format, lambda s: f"{s}"])
def test_no_way_of_printing_shows_it(shown: object) -> None:
    assert callable(shown)

    assert CANARY not in shown(Secret(CANARY))


def test_it_is_never_pickled_or_copied_deep() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret(CANARY))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret(CANARY))


def test_a_traceback_with_it_does_not_show_it() -> None:
    secret = Secret(CANARY)

    try:
        raise ValueError(f"something about {secret}")
    except ValueError:
        text = traceback.format_exc()

    assert CANARY not in text


def test_reveal_is_the_one_way_to_it() -> None:
    assert Secret(CANARY).reveal() == CANARY
    assert Secret(CANARY) == Secret(CANARY)
    assert Secret("") == Secret("")
    assert not Secret("")


async def test_a_key_goes_into_the_header_that_its_provider_wants() -> None:
    plain = ApiKeyHeader("https://a", "x-api-key", Secret(CANARY))
    bearer = ApiKeyHeader("https://a", "Authorization", Secret(CANARY), "Bearer")
    headers: dict[str, str] = {}

    await plain.authorise(headers)
    await bearer.authorise(headers)
    await NoCredential("http://127.0.0.1").authorise(headers)

    assert headers == {"x-api-key": CANARY, "Authorization": f"Bearer {CANARY}"}
    assert CANARY not in repr(plain)
