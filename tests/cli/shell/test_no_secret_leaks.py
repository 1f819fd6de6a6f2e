"""A marker secret through every command, at its most talkative and with every kind of failure, is found nowhere."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.cli.conftest import PANEL, Shell

MARKER = "sk-canary+7/ÄZ-9f31c0de77aa".replace("Ä", "A")
FORMS = (
    MARKER,
    quote(MARKER, safe=""),
    base64.b64encode(MARKER.encode()).decode().rstrip("="),
    json.dumps(MARKER)[1:-1].replace("/", "\\/"),
    MARKER[4:-4],  # cut at both ends
    MARKER[:14],
    MARKER[-12:],
    MARKER.encode().hex(),
    base64.b64encode(f"user:{MARKER}".encode()).decode()[10:-4],
)


@dataclass
class Parrot:
    """A server that answers everything with one status and repeats what it was sent, the credential included."""

    status: int = 401
    kind: str = "json"
    heard: list[str] = field(default_factory=list)
    url: str = ""

    def words(self, sent: str) -> bytes:
        match self.kind:
            case "json":
                error = {"message": f"bad key: {sent}", "type": "authentication_error", "code": sent[:80]}
                return json.dumps({"error": error, "type": "error"}).encode()
            case "html":
                return f"<html><title>oops {sent}</title><pre>Traceback {sent}</pre></html>".encode()
            case _:
                return f"{sent}\x1b[31m\r\n{sent}".encode()


def answered(asked: bytes, sent: str) -> bytes:
    """Return a good answer of Chat Completions, streamed where that was asked for, which repeats the credential."""
    key = sent.removeprefix("Bearer ")
    basic = base64.b64encode(f"user:{key}".encode()).decode()
    text = (
        f"You sent {sent}. {key}\n{quote(key, safe='')} {basic} {key[:14]}… {key[-12:]} {key.encode().hex()} Fine."
    )
    about = {"id": key, "model": f"m {key}", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    if not json.loads(asked or b"{}").get("stream"):
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return json.dumps({**about, "choices": [choice]}).encode()
    deltas = [{"delta": {"content": text[at : at + 3]}, "finish_reason": None} for at in range(0, len(text), 3)]
    events = [{**about, "choices": [choice]} for choice in (*deltas, {"delta": {}, "finish_reason": "stop"})]
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode() + b"data: [DONE]\n\n"


@pytest.fixture
def parrot() -> Iterator[Parrot]:
    parrot = Parrot()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers.get("content-length", 0)))
            sent = self.headers.get("authorization") or self.headers.get("x-api-key") or ""
            parrot.heard.append(sent)
            body = answered(asked, sent) if parrot.kind == "answer" else parrot.words(sent)
            self.send_response(parrot.status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Debug", sent)
            self.send_header("X-Request-Id", sent)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    parrot.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield parrot
    server.shutdown()
    server.server_close()


@dataclass
class Witness:
    """Runs commands and keeps all that was said; `found` are the places where a secret shows."""

    shell: Shell
    said: list[str] = field(default_factory=list)

    def run(self, *arguments: str, stdin: str | None = None) -> int:
        done = self.shell.run("--debug", *arguments, stdin=stdin)
        self.said.append(f"{arguments}: {done.stdout}{done.stderr}")
        return done.returncode

    def found(self) -> list[str]:
        said = [text[:300] for text in self.said if any(form in text for form in FORMS)]
        files = [
            str(path)
            for root in (self.shell.home, self.shell.cwd)
            for path in root.rglob("*")
            if path.is_file() and any(form.encode() in path.read_bytes() for form in FORMS)
        ]
        return said + files


@pytest.fixture
def witness(bare: Shell, parrot: Parrot) -> Witness:
    bare.environ |= {"PYTHONASYNCIODEBUG": "1", "PYTHONDEVMODE": "1", "LLM_ORC_MAX_RETRIES": "1"}
    bare.config.parent.mkdir(parents=True)
    bare.config.write_text(
        f"""\
providers:
  anthropic-api: {{base_url: '{parrot.url}'}}
  openai: {{base_url: '{parrot.url}/v1'}}
  ollama: {{base_url: 'http://127.0.0.1:9/v1'}}
model_profiles:
  default: {{provider: openai, model: m, fallback_model_profile: second}}
  second: {{provider: anthropic-api, model: claude-m}}
""",
        encoding="utf-8",
    )
    bare.ensemble("panel", PANEL)
    return Witness(bare)


QUICK = {(401, "json"), (200, "text"), (500, "html")}  # one of each; the others take their time


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        pytest.param(status, kind, marks=() if (status, kind) in QUICK else pytest.mark.slow)
        for status in (200, 400, 401, 403, 429, 500)
        for kind in ("json", "html", "text")
        if status != 429 or kind == "json"  # each waits for as long as it takes to give up
    ],
)
def test_a_provider_that_repeats_the_key_finds_no_echo_of_ours(
    witness: Witness, parrot: Parrot, status: int, kind: str
) -> None:
    parrot.status, parrot.kind = status, kind
    witness.shell.environ |= {"OPENAI_API_KEY": MARKER, "ANTHROPIC_API_KEY": MARKER}

    witness.run("invoke", "panel", "--input", "hello", "--allow-metered", "--output-format", "json")
    witness.run("auth", "test", "openai")
    witness.run("runs", "show", "last")
    witness.run("runs", "show", "last", "--output-format", "jsonl")
    witness.run("chat", "panel", "--allow-metered", "--conversation", "talk", stdin="hello\n")
    witness.run("conversations", "show", "talk", "--json")
    witness.run("conversations", "export", "talk")

    assert any(MARKER in heard for heard in parrot.heard)  # it did go out, to the one place that it belongs to
    assert witness.found() == []


@pytest.mark.slow
def test_an_answer_that_repeats_the_key_is_kept_and_shown_without_it(witness: Witness, parrot: Parrot) -> None:
    parrot.status, parrot.kind = 200, "answer"
    witness.shell.config.write_text(
        f"""\
providers:
  parrot: {{base_url: '{parrot.url}/v1', dialect: openai-chat, api_key_env: PARROT_KEY, billing: local}}
model_profiles:
  default: {{provider: parrot, model: m}}
""",
        encoding="utf-8",
    )
    witness.shell.environ["PARROT_KEY"] = MARKER

    assert witness.run("invoke", "panel", "--input", "hello", "--output-format", "jsonl") == 0
    witness.run("chat", "panel", "--conversation", "talk", stdin="hello\n")
    assert witness.run("batch", "panel", "--inputs", "-", stdin="one\ntwo\n") == 0
    witness.run("batch", "results", "last")

    assert any(MARKER in heard for heard in parrot.heard)
    assert any("Fine." in said for said in witness.said)
    assert witness.found() == []


@pytest.mark.skipif(sys.platform == "win32", reason="no core files there")
def test_a_crash_leaves_no_core_file_of_the_program_or_its_children() -> None:
    code = """if True:
        import resource, subprocess, sys, llm_orc
        resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
        before = resource.getrlimit(resource.RLIMIT_CORE)
        from llm_orc.cli.main import main
        main(["--version"])
        show = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
        child = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True).stdout.strip()
        print(before, resource.getrlimit(resource.RLIMIT_CORE), child, sep=";")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)

    before, after, child = done.stdout.splitlines()[-1].split(";")
    assert after == child == "(0, 0)"
    assert before != after or resource_is_closed()  # importing the library alone changes nothing


def resource_is_closed() -> bool:
    import resource

    return resource.getrlimit(resource.RLIMIT_CORE)[1] == 0


@pytest.mark.slow
def test_every_command_around_a_stored_key_keeps_it(witness: Witness, parrot: Parrot, tmp_path: Path) -> None:
    key_file = tmp_path / "outside.key"
    key_file.write_text(MARKER)
    witness.shell.environ["A_KEY"] = MARKER

    assert witness.run("auth", "add", "openai", "--from-stdin", stdin=f"OPENAI_API_KEY='{MARKER}'\n") == 4
    assert witness.run("auth", "add", "openai", "--from-stdin", stdin=f"ANTHROPIC_API_KEY={MARKER}…\n") == 4
    assert witness.run("auth", "add", "openai", "--from-stdin", "--no-verify", "--json", stdin=f"{MARKER}\n") == 0
    assert witness.run("auth", "add", "openai", "--from-env", "A_KEY", "--no-verify", "--account", "second") == 0
    assert witness.run("auth", "add", "anthropic-api", "--from-file", str(key_file), "--no-verify") == 0
    for arguments in (
        *(("auth", "list"), ("auth", "list", "--json"), ("auth", "status"), ("auth", "status", "--json")),
        *(("auth", "status", "--verify"), ("auth", "test", "openai"), ("auth", "switch", "openai", "second")),
        *(("check", "panel"), ("explain", "panel", "--json"), ("setup",), ("list-profiles", "--json")),
        *(("invoke", "panel", "--input", "x"), ("invoke", "panel", "--input", "x", "--output-format", "markdown")),
        *(("resume", "last"), ("runs", "list"), ("auth", "refresh", "openai")),
        *(("auth", "logout", "openai"), ("auth", "remove", "anthropic-api")),
    ):
        witness.run(*arguments)

    assert witness.found() == []


@pytest.mark.slow
def test_failures_of_the_store_itself_show_nothing(witness: Witness) -> None:
    store = witness.shell.config.with_name("credentials.json")
    assert witness.run("auth", "add", "openai", "--from-stdin", "--no-verify", stdin=MARKER) == 0
    whole = store.read_bytes()
    for damage in (whole[:-40], b"{}", b"\xff\xfe", whole.replace(b"a", b"b")):
        store.write_bytes(damage)
        witness.run("auth", "status")
        witness.run("auth", "add", "openai", "--from-stdin", "--no-verify", stdin=MARKER)
        witness.run("invoke", "panel", "--input", "x")
    store.unlink()
    store.mkdir()
    witness.run("auth", "add", "openai", "--from-stdin", "--no-verify", stdin=MARKER)
    store.rmdir()

    assert witness.found() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("auth", "add", "openai", MARKER),
        ("auth", "add", "openai", "--from-env", MARKER),
        ("auth", "add", "openai", f"--api-key={MARKER}"),
        ("auth", "add", MARKER),
        ("auth", "test", MARKER),
        ("auth", "switch", "openai", MARKER),
        ("auth", MARKER),
    ],
)
def test_a_secret_among_the_arguments_is_refused_and_not_repeated(
    witness: Witness, arguments: tuple[str, ...]
) -> None:
    done = witness.shell.run("--debug", *arguments)

    assert done.returncode != 0
    assert not any(form in done.stdout + done.stderr for form in FORMS)
