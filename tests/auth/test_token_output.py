"""What token commands write, as the programs of clouds, vaults and clusters write it."""

from __future__ import annotations

import json

import pytest

from llm_orc.auth.tokens.command_output import read_output
from llm_orc.errors import KeyMalformed, TokenCommandFailed

NOW = 1_795_000_000.0  # 2026-11-18
SOON = "2026-11-18T12:26:40Z"  # 4800 s later
TOKEN = "canary-of-a-token-5512"


def read(text: str | bytes) -> tuple[str, float | None]:
    data = text if isinstance(text, bytes) else text.encode()
    found = read_output(data, "the output", "https://models.example", NOW)
    return found.secret.reveal(), found.ends_at


@pytest.mark.parametrize("text", [TOKEN, f"{TOKEN}\n", f"\ufeff  {TOKEN}\r\n"])
def test_a_bare_token_has_an_unknown_end(text: str) -> None:
    assert read(text) == (TOKEN, None)


@pytest.mark.parametrize(
    ("fields", "lasts"),
    [
        ({"token": TOKEN}, None),
        ({"access_token": TOKEN, "expires_in": 3599}, 3599),
        ({"access_token": TOKEN, "expires_in": "3599"}, 3599),
        ({"accessToken": TOKEN, "expiresOn": "2026-11-18 14:26:40.000000", "expires_on": NOW + 60}, 60),
        ({"token": TOKEN, "expires_at": NOW + 60}, 60),
        ({"token": TOKEN, "expiresAt": (NOW + 60) * 1000}, 60),
        ({"token": TOKEN, "expiration": str(int(NOW + 60))}, 60),
        ({"token": TOKEN, "Expiration": SOON}, 4800),
        ({"token": TOKEN, "expires_at": "2026-11-18T14:26:40+02:00"}, 4800),
        ({"kind": "ExecCredential", "status": {"token": TOKEN, "expirationTimestamp": SOON}}, 4800),
        ({"token": TOKEN, "expires_at": "at dusk"}, None),
        ({"token": TOKEN, "expires_at": "2020-01-01T00:00:00"}, None),
        ({"token": TOKEN, "expires_at": True, "expires_in": -5}, None),
        ({"token": TOKEN, "expires_at": None, "expires_in": float("inf")}, None),
    ],
)
def test_json_has_the_token_and_maybe_its_end(fields: dict[str, object], lasts: float | None) -> None:
    assert read(json.dumps(fields)) == (TOKEN, None if lasts is None else NOW + lasts)


@pytest.mark.parametrize(
    "text",
    [
        '{"secret": "canary-of-a-token-5512"}',
        '{"token": 5}',
        '{"token": "canary-of-a-token-5512"',
        "{" * 100_000,
        b'{"token": "\xff"}',
        '{"token": "canary-of-a-token-5512", "expires_at": 1795000000}',
        '{"token": "canary-of-a-token-5512", "expiration": "2020-01-01T00:00:00Z"}',
    ],
)
def test_json_without_a_valid_token_is_refused_without_a_word_of_it(text: str | bytes) -> None:
    with pytest.raises(TokenCommandFailed) as refused:
        read(text)

    assert "canary" not in f"{refused.value.message} {refused.value.hint}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "two\nlines",
        f"Bearer {TOKEN}",
        "<html>",
        f"token={TOKEN}",
        '{"token": "a b"}',
        "x" * 9000,
        b"\xff",
    ],
)
def test_what_can_not_be_sent_is_no_token(text: str | bytes) -> None:
    with pytest.raises(KeyMalformed) as refused:
        read(text)

    assert "canary" not in f"{refused.value.message} {refused.value.hint}"


def test_a_token_of_another_provider_is_not_sent() -> None:
    with pytest.raises(KeyMalformed, match="Anthropic"):
        read_output(b"sk-ant-api03-canary", "the output", "https://api.openai.com", NOW)
