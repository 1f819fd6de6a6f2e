"""One check of API keys for every door: what is wrong is said, with the place, and never the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.auth.key_check import checked_key_text, problem_of
from llm_orc.auth.key_shapes import Prefix, known_prefixes, public_part
from llm_orc.errors import KeyMalformed

KEY = "sk-canary-9f31c0de77aa"
OPENAI, ANTHROPIC = "https://api.openai.com", "https://api.anthropic.com"


@pytest.mark.parametrize("text", [KEY, f"{KEY}\n", f" \t{KEY}\r\n", f"\ufeff{KEY}\r\n", f"\n{KEY}"])
def test_space_around_a_key_and_a_byte_order_mark_before_it_are_taken_away(text: str) -> None:
    assert checked_key_text(text, "the file").reveal() == KEY


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (" \n\t", "is empty"),
        (f"{KEY}\nsecond", "more than one line"),
        (f"{KEY}\u2028second", "more than one line"),
        (f"{KEY} second", "a space"),
        (f"{KEY}\tsecond", "a tab"),
        (f"sk-\u200b{KEY}", r"U\+200B"),
        (f"{KEY}\u200b", r"U\+200B"),
        (f"{KEY[:8]}\ufeff{KEY[8:]}", r"U\+FEFF"),
        (f"{KEY}\u00a0x", r"U\+00A0"),
        (f"{KEY}\x1b[0m", r"U\+001B"),
        (f"{KEY}\x00", r"U\+0000"),
        (f"{KEY}\u0430", r"U\+0430"),
        (f'"{KEY}"', "quotes"),
        (f"'{KEY}'", "quotes"),
        (f"\u201c{KEY}\u201d", "quotes"),
        (f"`{KEY}`", "quotes"),
        (f"OPENAI_API_KEY={KEY}", "starts with a name"),
        (f"export OPENAI_API_KEY={KEY}", "starts with a name"),
        (f"set OPENAI_API_KEY={KEY}", "starts with a name"),
        (f'$env:OPENAI_API_KEY = "{KEY}"', "starts with a name"),
        (f"api_key: {KEY}", "starts with a name"),
        (f"Bearer {KEY}", "scheme"),
        (f"bearer {KEY}", "scheme"),
        (f"Authorization: Bearer {KEY}", "scheme"),
        (f"x-api-key: {KEY}", "scheme"),
        ("$OPENAI_API_KEY", "placeholder"),
        ("${OPENAI_API_KEY}", "placeholder"),
        ("<your key>", "placeholder"),
        ("sk-...", "placeholder"),
        ("your-api-key-here", "placeholder"),
        ("my-openai-key", "placeholder"),
        (f"{KEY[:6]}\u2026{KEY[-4:]}", "in part only"),
        (f"{KEY[:6]}****{KEY[-4:]}", "in part only"),
        (f"{KEY[:6]}...{KEY[-4:]}", "in part only"),
        ("\u2022" * 20, "in part only"),
        (f"https://example.org/{KEY}", "a URL"),
        (f'{{"key": "{KEY}"}}', "a document"),
        ("k" * 8193, "longer than 8192"),
    ],
)
def test_what_is_no_key_alone_is_refused_with_its_place_and_without_its_text(text: str, words: str) -> None:
    with pytest.raises(KeyMalformed, match=words) as caught:
        checked_key_text(text, "the environment variable `A_KEY`")

    assert caught.value.exit_code == 4
    assert caught.value.message.startswith("the environment variable `A_KEY` is not a valid API key: it ")
    assert "canary" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    "key", [KEY, "QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "a", "ollama", "x=y=z", "v1.0/a+b_c~d", "0" * 64]
)
def test_a_server_of_unknown_origin_takes_whatever_can_be_sent(key: str) -> None:
    assert problem_of(key, "https://llm.example") is None


def test_a_key_of_nothing_but_x_is_a_placeholder_where_real_keys_are_known() -> None:
    problem = problem_of("sk-proj-xxxxxxxxxxxx", OPENAI)

    assert problem is not None
    assert "placeholder" in problem.words
    assert problem_of("sk-xxxxxxxxxxxx", "http://127.0.0.1:8000") is None


@pytest.mark.parametrize(
    ("key", "origin", "command"),
    [
        ("sk-ant-api03-abc", OPENAI, "llm-orc auth add anthropic-api"),
        ("sk-proj-abc", ANTHROPIC, "llm-orc auth add openai"),
        ("sk-or-v1-abc", OPENAI, "llm-orc auth add openrouter"),
        ("AIzaSyAbc", OPENAI, "llm-orc auth add google-gemini"),
        ("hf_abc", ANTHROPIC, "llm-orc auth add huggingface"),
        ("sk-ant-oat01-abc", ANTHROPIC, "CLAUDE_CODE_OAUTH_TOKEN"),
        ("gsk_abc", OPENAI, "llm-orc auth add groq"),
        ("pplx-abc", OPENAI, "the right provider"),
    ],
)
def test_a_key_of_another_provider_is_refused_with_the_command_that_takes_it(
    key: str, origin: str, command: str
) -> None:
    problem = problem_of(key, origin)

    assert problem is not None
    assert command in problem.hint
    assert key not in " ".join(problem)


@pytest.mark.parametrize("prefix", known_prefixes(), ids=lambda prefix: prefix.begins)
def test_a_key_goes_where_its_like_go_and_to_servers_that_are_not_known(prefix: Prefix) -> None:
    begins, origin = prefix.begins, prefix.origin

    assert problem_of(f"{begins}abc123", "https://gateway.example") is None
    assert not origin or problem_of(f"{begins}abc123", origin) is None


def test_what_all_keys_of_a_provider_begin_with_is_known() -> None:
    assert public_part("sk-ant-api03-Abc") == len("sk-ant-api03-")
    assert public_part("sk-or-v1-Abc") == len("sk-or-v1-")
    assert public_part("sk-Abc") == len("sk-")
    assert public_part("eyJhbGciOiJSUzI1NiJ9.eyJz.x") == len("eyJhbGciOiJSUzI1NiJ9.")
    assert public_part("Abc") == 0


@given(st.text(max_size=40))
def test_nothing_of_what_is_refused_is_said(text: str) -> None:
    problem = problem_of(f"{KEY}{text}")

    if problem is not None:
        assert "canary" not in " ".join(problem)
    else:
        assert text.isascii()
        assert text.isprintable()
        assert " " not in text
