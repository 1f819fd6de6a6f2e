"""`llm-orc sandbox` as a sign-in: where it says that it is, and that it is there."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess

    from tests.cli.conftest import Shell


def _urls(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stdout is not None
    return dict(process.stdout.readline().split() for _ in range(4))


def _ended(process: subprocess.Popen[str]) -> str:
    """What it wrote for people."""
    process.terminate()
    err: str = process.communicate(timeout=20)[1]
    return err


def test_it_serves_a_sign_in_and_says_how_to_begin_it(bare: Shell) -> None:
    with bare.started("sandbox", "--port", "0") as process:
        origin = _urls(process)["anthropic"]
        with urllib.request.urlopen(f"{origin}/.well-known/oauth-authorization-server", timeout=20) as answer:
            metadata = json.load(answer)
        err = _ended(process)

    assert metadata["issuer"] == origin
    assert f"base_url: {origin}/v1" in err
    assert f"issuer: {origin}" in err
    assert "llm-orc auth add sandbox" in err


def test_where_its_usual_port_is_taken_it_takes_a_free_one(bare: Shell) -> None:
    with closing(socket.socket()) as taken:
        with suppress(OSError):  # another sandbox has it already
            taken.bind(("127.0.0.1", 4715))
            taken.listen()
        with bare.started("sandbox") as process:
            origin = _urls(process)["anthropic"]
            err = _ended(process)

    assert not origin.endswith(":4715")
    assert f"issuer: {origin}" in err
    assert process.returncode == 0


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(bare: Shell) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = bare.run("sandbox", "--port", str(port))

    assert done.returncode != 0
    assert f"can't listen on port {port}" in done.stderr


def test_it_can_demand_tokens_of_its_own(bare: Shell) -> None:
    with bare.started("sandbox", "--port", "0", "--require-token", "--token-lifetime", "0.5") as process:
        url = _urls(process)["openai-chat"]
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(f"{url}/models", timeout=20)
        refused.value.close()
        err = _ended(process)

    assert "only a token of its sign-in is accepted" in err
