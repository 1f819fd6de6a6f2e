"""What a program has written becomes an answer or an error, in which no secret of its environment stands."""

from __future__ import annotations

import hashlib
import json

import pytest

from llm_orc.agents.script.environment import names_code
from llm_orc.agents.script.output import answer_of
from llm_orc.errors import LlmOrcError

SECRET = "ghp-canary-" + "".join(hashlib.sha256(bytes([i])).hexdigest() for i in range(10))


@pytest.mark.parametrize(
    ("written", "output"), [(json.dumps({"error": f"refused: {SECRET}"}), None), (f"{SECRET} is refused", "json")]
)
def test_no_secret_stands_in_an_error(written: str, output: str | None) -> None:
    with pytest.raises(LlmOrcError) as failed:
        answer_of("a", written.encode(), "json" if output else None, {"GH_TOKEN": SECRET})

    assert "ghp-canary" not in failed.value.message


@pytest.mark.parametrize(
    "name", ["PATH", "LD_PRELOAD", "OPENSSL_CONF", "AWS_CONFIG_FILE", "USERPROFILE", "GOFLAGS"]
)
def test_no_answer_may_come_into_a_variable_that_programs_take_code_from(name: str) -> None:
    assert names_code(name)
    assert not names_code("LANG")
    assert not names_code("TITLE")
