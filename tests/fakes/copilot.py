"""A stand-in for GitHub's `copilot`, serving its SDK's protocol: it writes what its prompt asks for, and asks nobody.

`install` puts one on a PATH; `seen` is what it was sent. A prompt may hold `[do WORD …]`; see the program.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_PROGRAM = r"""
import json, os, re, sys, time, uuid
home = HOME_DIRECTORY
session = ""
flags = open(os.path.join(home, "flags")).read().split()
KINDS = {"gh": "gh-cli", "env-token": "env", "key": "api-key", "odd": "carrier-pigeon"}

def write(message):
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    sys.stdout.flush()

def event(kind, **data):
    about = {"id": str(uuid.uuid4()), "timestamp": "2026-11-27T18:46:12.158Z", "parentId": None}
    write({"method": "session.event", "params": {"sessionId": session, "event": {"type": kind, "data": data, **about}}})

def read():
    length = 0
    while (line := sys.stdin.buffer.readline()) != b"\r\n":
        if not line:
            raise SystemExit(0)
        name, _, value = line.decode().partition(":")
        assert name == "Content-Length", name
        length = int(value)
    message = json.loads(sys.stdin.buffer.read(length))
    about = {"_argv": sys.argv[1:], "_cwd": os.getcwd(), "_environ": dict(os.environ)}
    with open(os.path.join(home, "seen.jsonl"), "a") as log:
        log.write(json.dumps({**message, **about}) + "\n")
    return message

def ask(method):
    write({"id": 77, "method": method, "params": {"sessionId": "s"}})
    while (answer := read()).get("id") != 77:
        pass
    return answer

def answer_prompt(text):
    doing = re.findall(r"\[do ([^\]]*)\]", text)
    said = "answer to " + text.splitlines()[-1]
    finish, aborted = "stop", False
    event("pending_messages.modified")
    event("of_a_later_version", anything=1)
    event("assistant.turn_start", turnId="0")
    for what in doing:
        word, _, rest = what.partition(" ")
        if word == "event":
            event(*rest.split(" ", 1)[:1], **json.loads(rest.partition(" ")[2] or "{}"))
        elif word == "call":
            event("assistant.message", content="", toolRequests=[{"toolCallId": "c", "name": rest}])
        elif word == "ask":
            said = json.dumps(ask(rest)["error"])
        elif word == "fail":
            event("session.error", **json.loads(rest))
            said = ""
        elif word == "retry":
            event("model.call_failure", statusCode=500, errorMessage="boom", retryAttempt=0)
            event("assistant.turn_retry", turnId="0", reason="error")
        elif word == "limit":
            event("model.call_failure", statusCode=429, errorMessage="slow down", retryAttempt=0)
            time.sleep(600)
        elif word == "finish":
            finish = rest
        elif word == "abort":
            aborted = True
        elif word == "nothing":
            said = ""
        elif word == "gone":
            raise SystemExit(9)
        elif word == "silence":
            time.sleep(600)
    for piece in (said[:3], said[3:]):
        event("assistant.message_delta", messageId="m", deltaContent=piece)
    counts = {"inputTokens": 20, "outputTokens": 3, "cacheReadTokens": 5, "cacheWriteTokens": 0}
    usage = {"byok": {"isByok": True}, "no-usage": {}}
    event("assistant.usage", model="m-9", finishReason=finish,
          **next((usage[flag] for flag in flags if flag in usage), counts))
    event("assistant.message", messageId="m", model="m-9", content=said, toolRequests=[])
    event("session.idle", aborted=aborted)

if "mute" in flags:
    sys.stdin.read()
if "broken" in flags:
    print("unknown option '--headless'", file=sys.stderr)
    raise SystemExit(1)
if "tidy" not in flags:
    print("a line that is no message", flush=True)
while True:
    message = read()
    answer = {"id": message["id"], "result": {"success": True}}
    match message["method"]:
        case "connect":
            version = "1.0.60" if "old" in flags else "1.0.102"
            answer["result"] = {"ok": True, "protocolVersion": 4 if "later" in flags else 3, "version": version}
        case "auth.getStatus" if {"logged-out", "offline"} & set(flags):
            answer["result"] = {"isAuthenticated": False, "statusMessage": "Not authenticated"}
        case "auth.getStatus":
            kind = next((KINDS[flag] for flag in flags if flag in KINDS), "user")
            answer["result"] = {"isAuthenticated": True, "authType": kind, "login": "octo"}
        case "session.create" if "offline" in flags:
            why = "Authentication failed: Failed to fetch OAuth user login: network fetch failed"
            answer = {"id": message["id"], "error": {"code": -32603, "message": why}}
        case "session.create":
            session = message["params"]["sessionId"]
            answer["result"] = {"sessionId": session}
        case "session.options.update":
            answer["result"] = {"success": "unrestricted" not in flags}
        case "session.send":
            write({**answer, "result": {"messageId": "m"}})
            answer_prompt(message["params"]["prompt"])
            continue
    write(answer)
"""


def install(home: Path, *flags: str) -> Path:
    """Put the stand-in into `home`/bin; returns `home`."""
    (home / "bin").mkdir(parents=True)
    program = home / "bin" / "copilot"
    program.write_text(f"#!{sys.executable} -SE\n" + _PROGRAM.replace("HOME_DIRECTORY", repr(str(home))))
    program.chmod(0o755)
    (home / "flags").write_text(" ".join(flags))
    return home


def seen(home: Path) -> list[dict[str, Any]]:
    """Return the messages that it was sent, each with its arguments, directory and environment at that time."""
    log = home / "seen.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
