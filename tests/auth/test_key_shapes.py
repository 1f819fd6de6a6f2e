"""What looks like a key in a line of a file, which is then not shown."""

from __future__ import annotations

import pytest

from llm_orc.auth.key_shapes import key_spans


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        ("api_key: zyxw-987654321", ["zyxw-987654321"]),
        ('  "apiKey": "zyxw 987654321",', ["zyxw 987654321"]),
        ("  {password: zyxw987654321, model: m}", ["zyxw987654321"]),
        ("  Authorization: Bearer zyxw987654321", ["zyxw987654321"]),
        ("note: sk-ant-api03-abcdefgh12345678 is mine", ["sk-ant-api03-abcdefgh12345678"]),
        ("base_url: https://me:hunter2@host.example/v1", ["me:hunter2"]),
        ("note: eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", ["eyJhbGciOiJI.eyJzdWIiOiIx.c2ln"]),
        ("risk-averse and task-based", []),
        ("api_key_env: 9f8e7d6c5b4a", ["9f8e7d6c5b4a"]),
        ("token: [9f8e7d6c5b4a", ["9f8e7d6c5b4a"]),
        ("api_key_file: ~/keys/openai", []),
        ("api_key_env: ANTHROPIC_API_KEY", []),
        ("max_tokens: 1000000000", []),
        ("- {name: judge, model: claude-haiku-4-5-20251001, promt: hello}", []),
    ],
)
def test_keys_are_found_and_other_values_are_not(line: str, hidden: list[str]) -> None:
    covered = {at for start, end in key_spans(line) for at in range(start, end)}

    assert covered == {at for key in hidden for at in range(line.index(key), line.index(key) + len(key))}
