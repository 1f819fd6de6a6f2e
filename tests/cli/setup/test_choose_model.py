"""`llm-orc setup` with another model than the one that it offers first."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cli.conftest import Shell
from tests.cli.terminal import CONTROL, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

pexpect = pytest.importorskip("pexpect", reason="needs pseudo-terminals, which Windows has none of")

DOWN = "\x1b[B"
WHICH = "Which one should agents use"
MODELS = [f"model-{number}" for number in range(40)]


class _Server(BaseHTTPRequestHandler):
    """A local server with many models, each of which answers."""

    def do_GET(self) -> None:
        self._send({"data": [{"id": model} for model in MODELS]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = {"role": "assistant", "content": "yes"}
        self._send({"model": asked["model"], "choices": [{"message": message, "finish_reason": "stop"}]})

    def _send(self, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the standard library has it
        return


@contextmanager
def many_models() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join()


def on(bare: Shell, base_url: str) -> Terminal:
    """Start the wizard on a machine whose only access is this server, and ask for another model of it."""
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text(
        f"providers:\n  openai-compatible: {{base_url: '{base_url}'}}\n  ollama: {{base_url: 'http://127.0.0.1:9'}}\n"
    )
    bare.environ["PATH"] = "/usr/bin:/bin"
    terminal = Terminal(bare, "setup", columns=80)
    terminal.process.expect(WHICH)
    terminal.process.send("\r")
    terminal.process.expect("Which model")
    return terminal


def profile(shell: Shell) -> object:
    return yaml.safe_load(shell.config.read_text()).get("model_profiles", {}).get("default")


def finish(terminal: Terminal) -> str:
    terminal.process.expect("answered in")
    terminal.process.expect("first ensemble")
    terminal.process.send("\r")
    return CONTROL.sub("", terminal.to_the_end())


def test_a_model_of_a_short_list_is_chosen_from_a_menu(bare: Shell, pretend: str) -> None:
    terminal = on(bare, pretend)
    terminal.process.send(DOWN + "\r")

    seen = finish(terminal)

    assert terminal.process.exitstatus == 0, seen
    assert profile(bare) == {"provider": "openai-compatible", "model": "canned-large"}


def test_a_long_list_is_searched_by_a_part_of_the_name(bare: Shell) -> None:
    with many_models() as base_url:
        terminal = on(bare, base_url)
        terminal.process.send(DOWN + "\r")
        terminal.process.expect("39 models. A part of the name")
        terminal.process.send("nothing\r")
        terminal.process.expect("None has `nothing`")
        terminal.process.expect("A part of the name")
        terminal.process.send("MODEL-3\r")
        terminal.process.expect("Which model")
        terminal.process.send(DOWN + "\r")

        seen = finish(terminal)

    assert terminal.process.exitstatus == 0, seen
    assert profile(bare) == {"provider": "openai-compatible", "model": "model-30"}


def test_one_can_go_back_without_a_choice(bare: Shell) -> None:
    with many_models() as base_url:
        terminal = on(bare, base_url)
        terminal.process.send(DOWN + "\r")
        terminal.process.expect("A part of the name")
        terminal.process.send("\r")
        terminal.process.expect("Which model")
        terminal.process.send(DOWN * 3 + "\r")  # back
        terminal.process.expect(WHICH)
        terminal.process.send(DOWN * 2 + "\r")
        terminal.process.expect("first ensemble")
        terminal.process.send("n\r")
        terminal.to_the_end()

    assert profile(bare) is None


def test_a_provider_without_a_default_model_can_be_chosen_with_one_of_its_models(bare: Shell) -> None:
    with many_models() as base_url:
        bare.config.parent.mkdir(parents=True)
        bare.config.write_text(
            f"providers:\n  groq: {{base_url: '{base_url}'}}\n  ollama: {{base_url: 'http://127.0.0.1:9'}}\n"
        )
        bare.environ |= {"PATH": "/usr/bin:/bin", "GROQ_API_KEY": "gsk_canary"}
        refused = bare.run("setup", "--yes", "--provider", "groq")
        terminal = Terminal(bare, "setup", columns=60)
        terminal.process.expect(WHICH)
        terminal.process.send("\r")
        terminal.process.expect("Another of its 40 models")
        terminal.process.send("\r")
        terminal.process.expect("A part of the name")
        terminal.process.send("model-7\r")
        terminal.process.expect("model-7")
        terminal.process.expect("Back")
        terminal.process.send("\r")
        terminal.process.expect("Make a test call")
        terminal.process.send("y\r")
        finish(terminal)

    assert refused.returncode == 2
    assert "llm-orc models list groq" in refused.stderr
    assert profile(bare) == {"provider": "groq", "model": "model-7"}


def test_a_model_that_is_not_listed_is_typed(bare: Shell, pretend: str) -> None:
    terminal = on(bare, pretend)
    terminal.process.send(DOWN * 2 + "\r")
    terminal.process.expect("Name of the model")
    terminal.process.send("mine:7b\r")

    finish(terminal)

    assert profile(bare) == {"provider": "openai-compatible", "model": "mine:7b"}
