"""No credential is seen again in what comes back: whole, in part, in another spelling, cut over pieces of a stream."""

from __future__ import annotations

import base64
import html
import json
import random
import string
import time
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.auth.masking import MASK, Mask, MaskedStream, hide
from llm_orc.auth.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "sk-canary+7/AZ-9f31c0de77aa"
LONG = "sk-ant-api03-Zq7_vXw2LtR4mNb8KcYh5JdGf1SaPoIuE-0TgBnHyUjMkLi9OlQwErTyAA"

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda key: key,
    "upper case": str.upper,
    "url": lambda key: quote(key, safe=""),
    "url, small digits": lambda key: quote(key, safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
    "url, twice": lambda key: quote(quote(key, safe=""), safe=""),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 url": lambda key: base64.urlsafe_b64encode(key.encode()).decode(),
    "basic": lambda key: "Basic " + base64.b64encode(f"user:{key}".encode()).decode(),
    "basic, alone": lambda key: "Basic " + base64.b64encode(f"{key}:".encode()).decode(),
    "bearer": lambda key: f"Bearer {key}",
    "hex": lambda key: key.encode().hex(),
    "json": lambda key: json.dumps({"k": key}),
    "json, slashes": lambda key: json.dumps({"k": key}).replace("/", "\\/"),
    "json, spelt out": lambda key: "".join(f"\\u{ord(c):04X}" for c in key),
    "percent, spelt out": lambda key: "".join(f"%{ord(c):02X}" for c in key),
    "html": lambda key: html.escape(f"<{key}>"),
}
_LETTERS = string.ascii_letters + string.digits + "-_+/=."


def made_up(prefix: str, length: int, seed: int) -> str:
    """Return a key as keys are made: at random, which examples of Hypothesis are not."""
    return prefix + "".join(random.Random(seed).choices(_LETTERS, k=length))


keys = st.builds(
    made_up,
    st.sampled_from(["", "sk-", "sk-ant-api03-", "sk-or-v1-", "AIza", "hf_"]),
    st.integers(20, 110),
    st.integers(0, 2**32),
)
words = st.text(alphabet=st.one_of(st.sampled_from(" \n.,:ab-"), st.characters()), max_size=40)


def mask_of(*keys: str) -> Mask:
    mask = Mask()
    for key in keys:
        mask.add(key)
    return mask


def streamed(mask: Mask, text: str, cuts: list[int]) -> str:
    stream = MaskedStream(lambda: mask)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    return "".join(stream.feed(text[a:b]) for a, b in pairwise(bounds)) + stream.rest()


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("key", [KEY, LONG])
def test_a_key_is_hidden_in_every_spelling(key: str, spelling: str) -> None:
    spelt = SPELLINGS[spelling](key)
    core = SPELLINGS[spelling](key[key.index("-") + 1 :]) if spelling in {"plain", "upper case", "url"} else spelt

    shown = mask_of(key).hide(f"your key is {spelt}, is it not?")

    assert shown.startswith("your key is ")
    assert shown.endswith(", is it not?")
    assert MASK in shown
    assert spelt not in shown
    assert core not in shown


@pytest.mark.parametrize("part", [KEY[:14], KEY[-10:], KEY[6:-6], f"{LONG[:24]}…{LONG[-12:]}", LONG[20:32]])
def test_a_part_that_tells_something_is_hidden(part: str) -> None:
    shown = mask_of(KEY, LONG).hide(f"({part})")

    assert MASK in shown
    assert not any(part[at : at + 10] in shown for at in range(len(part) - 9) if "…" not in part[at : at + 10])


@pytest.mark.parametrize(
    "text",
    [
        "keys of theirs begin with sk-ant-api03- and go on",
        "sk-canary",
        "an ordinary answer about unfortunately misunderstood canaries, version 1234567890.",
        f"ends in {LONG[-4:]}",
    ],
)
def test_what_tells_nothing_stays(text: str) -> None:
    assert mask_of(KEY, LONG, "sk-1234567890", "canary").hide(text) == text


@pytest.mark.parametrize("word", ["ollama", "lm-studio", "not-needed", "EMPTY"])
def test_a_word_in_place_of_a_key_is_no_secret(word: str) -> None:
    mask = mask_of(word)

    assert mask.hide(f"use {word} for that") == f"use {word} for that"
    assert mask.hide_in_error(f"`{word}` can't be reached") == f"`{word}` can't be reached"


def test_a_short_key_is_hidden_whole() -> None:
    assert mask_of("sk-secret", "a1b2c3d4").hide("sk-secret and a1b2c3d4") == f"{MASK} and {MASK}"
    assert mask_of("k3y-zz").hide_in_error("key k3y-zz is wrong") == f"key {MASK} is wrong"


@given(keys, st.sampled_from(sorted(SPELLINGS)), words, words)
def test_no_key_in_any_spelling_is_seen_again(key: str, spelling: str, before: str, behind: str) -> None:
    spelt = SPELLINGS[spelling](key)

    shown = mask_of(key).hide_in_error(f"{before}{spelt}{behind}")

    assert spelt not in shown
    assert key not in shown
    assert key[-14:] not in shown


@given(keys, st.sampled_from(sorted(SPELLINGS)), words, words, st.lists(st.integers(0, 200), max_size=12))
def test_a_stream_hides_what_the_whole_hides_wherever_it_is_cut(
    key: str, spelling: str, before: str, behind: str, cuts: list[int]
) -> None:
    mask = mask_of(key)
    text = f"{before}{SPELLINGS[spelling](key)}{behind}{key[:9]} {key[-13:]}"

    assert streamed(mask, text, cuts) == mask.hide(text)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_stream_of_single_characters_hides_a_key(spelling: str) -> None:
    mask, text = mask_of(KEY, LONG), f"It is {SPELLINGS[spelling](LONG)}{KEY}, no?"

    assert streamed(mask, text, list(range(len(text)))) == mask.hide(text)


@pytest.mark.parametrize("key", ["a" * 8_000, "aB" * 4_000, "sk-" + "0" * 8_000])
def test_a_long_key_that_repeats_itself_takes_no_longer_than_another(key: str) -> None:
    mask, text = mask_of(key), f"It is {key}, and {key[50:-30]}."

    began = time.process_time()
    shown = mask.hide(text), streamed(mask, text, list(range(0, len(text), 1_000)))

    assert set(shown) == {f"It is {MASK}, and {MASK}."}
    assert time.process_time() - began < 5  # comparing each place of the one with each of the other takes hours


@given(
    st.text(alphabet="aB0-", min_size=20, max_size=60).filter(lambda key: len(set(key)) > 1),
    st.integers(0, 45),
    words,
    st.lists(st.integers(0, 200), max_size=12),
)
def test_each_part_of_a_key_that_repeats_itself_is_hidden(key: str, at: int, behind: str, cuts: list[int]) -> None:
    mask = mask_of(key)
    part = key[at : at + 16]
    text = f"{key[:30]} {part}{behind}"

    shown = mask.hide(text)

    assert key[:16] not in shown
    assert len(part) < 16 or part not in shown
    assert streamed(mask, text, cuts) == shown


def test_prose_in_a_stream_is_at_most_one_word_behind() -> None:
    stream = MaskedStream(lambda: mask_of(KEY))

    assert [stream.feed(piece) for piece in ("The qui", "ck fox", " runs", "… ")] == [
        "The ",
        "quick ",
        "fox ",
        "runs… ",
    ]


def test_what_has_been_revealed_is_hidden_from_then_on() -> None:
    secret = Secret("tok-Zz81kLmQ04vbN7")

    before = hide("tok-Zz81kLmQ04vbN7")
    secret.reveal()

    assert before == "tok-Zz81kLmQ04vbN7"
    assert hide("tok-Zz81kLmQ04vbN7") == MASK


def test_a_process_that_renews_its_tokens_for_ever_forgets_the_oldest() -> None:
    for number in range(100):
        Secret(f"tok-{number:03}-aB3dEfGh1jKlMn").reveal()

    assert hide("tok-099-aB3dEfGh1jKlMn") == MASK
    assert hide("tok-000") == "tok-000"
