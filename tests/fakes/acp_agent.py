"""A stand-in for an agent that speaks the Agent Client Protocol: it writes what its prompt asks for, and asks nobody.

`install` puts one on a PATH; `seen` is what it was sent. A prompt may hold `[do WORD]` lines; see the program.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_PROGRAM = r"""
import json, os, re, sys, time
home = HOME_DIRECTORY
flags = open(os.path.join(home, "flags")).read().split()

def write(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

def update(what, **fields):
    write({"method": "session/update", "params": {"sessionId": "s-1", "update": {"sessionUpdate": what, **fields}}})

def say(text):
    update("agent_message_chunk", content={"type": "text", "text": text})

def read():
    line = sys.stdin.readline()
    if not line:
        raise SystemExit(0)
    message = json.loads(line)
    with open(os.path.join(home, "seen.jsonl"), "a") as seen:
        seen.write(json.dumps({**message, "_cwd": os.getcwd(), "_environ": dict(os.environ)}) + "\n")
    return message

def ask(method, **params):
    write({"id": 77, "method": method, "params": {"sessionId": "s-1", **params}})
    while True:
        answer = read()
        if answer.get("id") == 77:
            return answer

if "mute" in flags:
    sys.stdin.read()
if "broken" in flags:
    print("cannot find module", file=sys.stderr)
    raise SystemExit(3)
print("a line that is no JSON", flush=True)
while True:
    message = read()
    answer = {"id": message["id"]}
    match message["method"]:
        case "initialize":
            version = 2 if "later" in flags else 1
            answer["result"] = {"protocolVersion": version, "agentCapabilities": {},
                                "agentInfo": {"name": "stand-in", "version": "4.5.6"}, "authMethods": []}
        case "session/new" if "logged-out" in flags:
            answer["error"] = {"code": -32000, "message": "Authentication required"}
        case "session/new":
            answer["result"] = {"sessionId": "s-1"}
            if "no-models" not in flags:
                models = [{"group": "g", "name": "G", "options": [{"value": "small", "name": "S"}]},
                          {"value": "large", "name": "L"}]
                answer["result"]["configOptions"] = [
                    {"id": "mode", "category": "mode", "type": "select", "currentValue": "a", "options": []},
                    {"id": "m", "category": "model", "type": "select", "currentValue": "small", "options": models}]
        case "session/set_config_option":
            answer["result"] = {"configOptions": []}
        case "session/prompt":
            text = message["params"]["prompt"][0]["text"]
            doing = re.findall(r"\[do ([^\]]*)\]", text)
            stop = "end_turn"
            update("available_commands_update", availableCommands=[])
            update("of_a_later_version", anything=1)
            update("agent_thought_chunk", content={"type": "text", "text": "hm"})
            for what in doing:
                word, _, rest = what.partition(" ")
                if word == "tool":
                    update("tool_call", toolCallId="t", title="rm -rf /", kind=rest, status="pending")
                elif word == "permission":
                    options = [{"optionId": "yes", "name": "Yes", "kind": "allow_once"}]
                    if "no-reject" not in flags:
                        options.append({"optionId": "no", "name": "No", "kind": "reject_once"})
                    tool = {"toolCallId": "t", "title": "look", "kind": rest or "other"}
                    say(json.dumps(ask("session/request_permission", toolCall=tool, options=options)["result"]))
                elif word == "file":
                    say(str(ask("fs/read_text_file", path="/etc/passwd")["error"]["code"]))
                elif word == "stop":
                    stop = rest
                elif word == "fail":
                    code, _, words = rest.partition(" ")
                    answer["error"] = {"code": int(code), "message": words}
                elif word == "gone":
                    raise SystemExit(9)
                elif word == "silence":
                    time.sleep(600)
            if "answer" not in "".join(doing):
                say("answer to ")
                say(text.splitlines()[-1])
            if "error" not in answer:
                answer["result"] = {"stopReason": stop}
                if "usage" in flags:
                    answer["result"]["usage"] = {"inputTokens": 20, "outputTokens": 3, "totalTokens": 28,
                                                 "cachedReadTokens": 5}
    write(answer)
"""


def install(home: Path, *flags: str, name: str = "acp-agent") -> Path:
    """Put the stand-in into `home`/bin as `name`; returns `home`."""
    (home / "bin").mkdir(parents=True)
    program = home / "bin" / name
    program.write_text(f"#!{sys.executable} -SE\n" + _PROGRAM.replace("HOME_DIRECTORY", repr(str(home))))
    program.chmod(0o755)
    (home / "flags").write_text(" ".join(flags))
    return home


def seen(home: Path) -> list[dict[str, Any]]:
    """Return the messages that it was sent, each with its directory and environment at that time."""
    log = home / "seen.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
