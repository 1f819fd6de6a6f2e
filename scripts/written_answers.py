"""A server on loopback that speaks OpenAI's Chat Completions API and gives written answers. No model is asked.

The picture and the sessions that the documentation shows are recorded against it. `written_answers.yaml` has the
answers: the first entry that fits a request is given.
"""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FILE = Path(__file__).with_name("written_answers.yaml")
MODELS = ("small", "large")
_CHARACTERS_PER_TOKEN = 4  # roughly, as English text has


@dataclass(frozen=True, slots=True)
class Written:
    """An answer, and what a request must contain to get it."""

    answer: str
    role: str = ""
    asked: str = ""
    model: str | None = None

    def fits(self, model: str, role: str, asked: str) -> bool:
        return self.model in {None, model} and self.role in role and self.asked in asked


def load_answers() -> tuple[Written, ...]:
    return tuple(Written(**row) for row in yaml.safe_load(FILE.read_text(encoding="utf-8")))


@contextmanager
def serve_answers(answers: Sequence[Written], pause_s: float = 0) -> Iterator[str]:
    """Serve `answers` in the block, whose value is the base URL. `pause_s` is the time before each word."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._send(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]})

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            role, asked = (_texts(request["messages"], is_role) for is_role in (True, False))
            whole = f"{role}\n{asked}".strip()
            found = next((one for one in answers if one.fits(request["model"], role, asked)), None)
            if found is None:
                self._send(400, {"error": {"message": f"no answer is written for: {whole[:300]}"}})
                return
            tokens = {"prompt_tokens": _tokens(whole), "completion_tokens": _tokens(found.answer)}
            usage = {**tokens, "total_tokens": sum(tokens.values())}
            head = {"id": "chatcmpl-1", "created": 1, "model": request["model"]}
            if request.get("stream"):
                self._stream(head, found.answer, usage)
                return
            message = {"role": "assistant", "content": found.answer}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self._send(200, {**head, "object": "chat.completion", "choices": [choice], "usage": usage})

        def _send(self, status: int, document: object) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _stream(self, head: dict[str, object], answer: str, usage: dict[str, int]) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            for word in re.findall(r"\S+\s*|\s+", answer):
                time.sleep(pause_s)
                self._event(head, [{"index": 0, "delta": {"content": word}, "finish_reason": None}])
            self._event(head, [{"index": 0, "delta": {}, "finish_reason": "stop"}])
            self._event({**head, "usage": usage}, [])
            self.wfile.write(b"data: [DONE]\n\n")

        def _event(self, head: dict[str, object], choices: list[dict[str, object]]) -> None:
            chunk = {**head, "object": "chat.completion.chunk", "choices": choices}
            self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _texts(messages: Sequence[dict[str, object]], is_role: bool) -> str:
    return "\n".join(_text(each["content"]) for each in messages if (each["role"] == "system") == is_role)


def _text(content: object) -> str:
    """Return the text of a message's content, which is a string or a list of parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return str(content)


def _tokens(text: str) -> int:
    return max(1, len(text) // _CHARACTERS_PER_TOKEN)
