"""`llm-orc serve`: what it says, to whom, and how it ends."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.cli.conftest import Shell


def ask(base_url: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{base_url}{path}", data, headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def base_url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ended(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    err: str = process.communicate(timeout=20)[1]
    return err


def test_it_says_who_pays_and_serves_until_it_is_stopped(bare: Shell) -> None:
    with bare.started("serve", "council", "--rehearse", "--port", "0") as process:
        base_url = base_url_of(process)
        models = ask(base_url, "/models")
        asked = {"model": "council", "messages": [{"role": "user", "content": "Is it so?"}]}
        answer = ask(base_url, "/chat/completions", asked)
        err = ended(process)

    assert process.returncode == 0
    assert models["data"][0]["id"] == "council"
    assert "canned" in answer["choices"][0]["message"]["content"]
    assert "council: sandbox sandbox (local: free)" in err
    run_id = answer["id"].removeprefix("chatcmpl-")
    assert "POST /v1/chat/completions 200" in err
    assert run_id in err
    assert "Is it so?" not in err
    assert run_id in bare.run("runs", "list", "--kind", "served").stdout


def test_without_access_it_serves_and_says_what_is_missing(bare: Shell) -> None:
    bare.config.parent.mkdir(parents=True, exist_ok=True)
    ensembles = bare.config.parent / "ensembles"
    ensembles.mkdir()
    (ensembles / "one.yaml").write_text("name: one\nagents: [{name: a, provider: anthropic-api}]\n")
    with bare.started("serve", "one", "--port", "0") as process:
        base_url_of(process)
        err = ended(process)

    assert "one: can't be used now: there is no API key for `anthropic-api`" in err


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (("serve", "nobody"), "no ensemble is called `nobody`", 3),
        (("serve", "--host", "0.0.0.0"), "can be reached by other machines", 2),
        (("serve", "--token-file", "missing"), "can't read the keys", 2),
    ],
    ids=str,
)
def test_what_can_not_be_served_is_said_at_once(
    bare: Shell, arguments: tuple[str, ...], says: str, code: int
) -> None:
    done = bare.run(*arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr


def test_clients_need_a_key_of_the_file(bare: Shell, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("canary-key-of-the-laptop laptop\n")
    with bare.started("serve", "council", "--rehearse", "--port", "0", "--token-file", str(keys)) as process:
        base_url = base_url_of(process)
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(base_url, "/models")
        refused.value.close()
        assert refused.value.code == 401
        assert ask(base_url, "/models", Authorization="Bearer canary-key-of-the-laptop")["data"]
        err = ended(process)

    assert " laptop GET /v1/models 200 " in err
    assert "canary" not in err
