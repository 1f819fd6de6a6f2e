"""A provider for its user's own machine only: no batch in a store that machines share, and no worker on one, calls it."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.batches.postgres import Postgres, find_programs
from tests.cli.conftest import Shell

if TYPE_CHECKING:
    pass

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_programs() is None, reason="needs PostgreSQL's server programs; .ci/run installs them"
    ),
]
ONE = "name: one\nagents:\n  - {name: a, provider: plan, model: m}\n"
SAID = "`plan` is not called by a worker on a shared store: its terms say so (https://plan.example/terms)"


def settings(shell: Shell, *, own_machine_only: bool, port: int = 9) -> None:
    url = f"http://127.0.0.1:{port}/v1"
    provider: dict[str, Any] = {"base_url": url, "dialect": "openai-chat", "billing": "local"}
    if own_machine_only:
        provider["calls"] = {
            "own_machine_only": "its terms say so",
            "terms_page": "https://plan.example/terms",
        }
    shell.config.parent.mkdir(parents=True, exist_ok=True)
    shell.config.write_text(json.dumps({"providers": {"plan": provider}}))


@pytest.fixture
def one(bare: Shell) -> Shell:
    (bare.cwd / "one.yaml").write_text(ONE)
    (bare.cwd / "in.txt").write_text("row 1\nrow 2\n")
    return bare


def test_a_batch_there_is_refused_before_it_is_stored(one: Shell, postgres: Postgres) -> None:
    settings(one, own_machine_only=True)

    done = one.run("batch", "./one.yaml", "--inputs", "in.txt", "--store", postgres.url)

    assert done.returncode == 4
    assert SAID in done.stderr
    assert json.loads(one.run("batch", "list", "--json", "--store", postgres.url).stdout) == []


def test_a_worker_leaves_such_a_batch_alone_and_says_why(one: Shell, postgres: Postgres) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # so that the rows are open when the batch is killed
        settings(one, own_machine_only=False, port=silent.getsockname()[1])
        with one.started("batch", "./one.yaml", "--inputs", "in.txt", "--store", postgres.url) as batch:
            while '"open"' not in one.run("batch", "list", "--json", "--store", postgres.url).stdout:
                assert batch.poll() is None
            batch.kill()
    settings(one, own_machine_only=True)

    done = one.run("worker", "--until-done", "--store", postgres.url)

    assert done.returncode == 4
    assert SAID in done.stderr
