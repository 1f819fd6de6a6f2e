"""What people copy along with a key is left out and named; what is a key stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.auth.key_paste import unwrapped

KEY = "sk-canary-9f31c0de77aa"


@pytest.mark.parametrize(
    "text",
    [
        f'"{KEY}"',
        f"'{KEY}'\n",
        f"\u201c{KEY}\u201d",
        f"`{KEY}`",
        f"OPENAI_API_KEY={KEY}",
        f'OPENAI_API_KEY = "{KEY}"  # of mine',
        f"export OPENAI_API_KEY='{KEY}';",
        f"set OPENAI_API_KEY={KEY}\r\n",
        f'setx OPENAI_API_KEY "{KEY}"',
        f'$env:OPENAI_API_KEY = "{KEY}"',
        f"OPENAI_API_KEY: {KEY}",
        f"api_key: {KEY}",
        f'"api_key": "{KEY}",',
        f"key={KEY}",
        f"Bearer {KEY}",
        f"Authorization: Bearer {KEY}",
        f"x-api-key: {KEY}",
        f"\ufeff# the key\nOPENAI_API_KEY={KEY}\n",
    ],
)
def test_what_is_around_a_key_is_left_out_and_named(text: str) -> None:
    pasted = unwrapped(text)

    assert pasted.key.reveal() == KEY
    assert pasted.notes
    assert "canary" not in f"{pasted.notes} {pasted}"
    assert pasted.variable in {"", "OPENAI_API_KEY"}


def test_of_several_lines_that_of_the_provider_is_taken() -> None:
    text = f"ANTHROPIC_API_KEY=sk-other\n\n# mine\nexport OPENAI_API_KEY={KEY}\n"

    assert unwrapped(text, ("OPENAI_API_KEY",)).key.reveal() == KEY
    assert "\n" in unwrapped(text, ("GROQ_API_KEY",)).key.reveal()


@pytest.mark.parametrize(
    "key", [KEY, "QWxhZGRpbjpvcGVu==", "x=y=z", "ab-cd==", "v1.0/a+b_c~d", "A_B", "sk-a:b", "0" * 64]
)
def test_a_key_alone_stays_as_it_is(key: str) -> None:
    assert unwrapped(key).key.reveal() == key
    assert unwrapped(key).notes == ()


@given(st.text(max_size=40))
def test_no_note_repeats_what_was_pasted(text: str) -> None:
    assert KEY not in "".join(unwrapped(f"{text}{KEY}").notes)
