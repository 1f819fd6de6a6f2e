"""RFC 7636."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from llm_orc.auth.oauth.pkce import challenge_of, new_pkce

_APPENDIX_B_OCTETS = bytes(
    [
        116,
        24,
        223,
        180,
        151,
        153,
        224,
        37,
        79,
        250,
        96,
        125,
        216,
        173,
        187,
        186,
        22,
        212,
        37,
        77,
        105,
        214,
        191,
        240,
        91,
        88,
        5,
        88,
        83,
        132,
        141,
        121,
    ]
)


def test_the_pair_of_appendix_b_comes_out() -> None:
    pkce = new_pkce(lambda _: _APPENDIX_B_OCTETS)

    assert pkce.verifier.reveal() == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert pkce.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@given(st.binary(min_size=32, max_size=32))
def test_every_verifier_is_made_of_43_unreserved_characters(octets: bytes) -> None:
    pkce = new_pkce(lambda size: octets[:size])

    assert re.fullmatch(r"[A-Za-z0-9._~-]{43}", pkce.verifier.reveal())
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", pkce.challenge)


def test_ten_thousand_verifiers_are_all_different_and_match_their_challenge() -> None:
    pairs = [new_pkce() for _ in range(10_000)]

    assert len({pair.verifier.reveal() for pair in pairs}) == 10_000
    assert all(challenge_of(pair.verifier.reveal()) == pair.challenge for pair in pairs)


def test_256_random_bits_are_asked_for() -> None:
    sizes: list[int] = []

    def random_bytes(size: int) -> bytes:
        sizes.append(size)
        return bytes(size)

    new_pkce(random_bytes)

    assert sizes == [32]
