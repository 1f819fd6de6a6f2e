"""A stand-in for `codex`: it speaks the same output format, its error forms included, and asks nobody.

`install` puts a logged-in one on a PATH; `calls` is what it was given.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_PROGRAM = r"""
import json, os, re, sys, time
home = HOME_DIRECTORY
arguments = sys.argv[1:]
if arguments == ["--version"]:
    print("codex-cli 0.171.0")
elif arguments == ["debug", "models", "--bundled"]:
    print(json.dumps({"models": [{"slug": "gpt-5.5", "tool_mode": "code_mode_only", "shell_type": "unified_exec",
                                  "base_instructions": "You are Codex", "context_window": 272000}]}))
elif arguments[-2:] == ["login", "status"]:
    said = open(os.path.join(home, "status")).read()
    print(said, file=sys.stderr)
    raise SystemExit(0 if said.startswith("Logged in") else 1)
else:
    prompt = sys.stdin.read()
    role = json.loads([a for a in arguments if a.startswith("model_instructions_file=")][0].partition("=")[2])
    with open(os.path.join(home, "seen.jsonl"), "a") as seen:
        call = {"arguments": arguments, "prompt": prompt, "role": open(role).read(), "environ": dict(os.environ)}
        seen.write(json.dumps(call) + "\n")
    def say(**line):
        print(json.dumps(line), flush=True)
    say(type="thread.started", thread_id="t")
    failed = re.match(r"\[fail (.*)\]", prompt)
    if failed:
        say(type="turn.failed", error={"message": failed[1]})
        raise SystemExit(1)
    while "[reconnecting]" in prompt:
        say(type="error", message="Reconnecting... 1/5 (error sending request for url (https://x))")
        time.sleep(0.05)
    if "[raw]" in prompt:
        sys.stdout.buffer.write(open(os.path.join(home, "raw"), "rb").read())
    if "[rubbish]" in prompt:
        print("panicked at src/main.rs\n" * 1100, flush=True)
    if "[gone]" in prompt:
        raise SystemExit(101)
    if "[mute]" not in prompt:
        say(type="item.completed", item={"type": "reasoning", "text": "hm"})
        say(type="item.completed", item={"type": "agent_message", "text": "answer to " + prompt})
    say(type="turn.completed", usage={"input_tokens": 20, "cached_input_tokens": 5, "output_tokens": 3})
"""


def install(home: Path) -> Path:
    """Put the stand-in into `home`/bin; returns `home`."""
    (home / "bin").mkdir(parents=True)
    program = home / "bin" / "codex"
    program.write_text(f"#!{sys.executable} -SE\n" + _PROGRAM.replace("HOME_DIRECTORY", repr(str(home))))
    program.chmod(0o755)
    (home / "status").write_text("Logged in using ChatGPT\n")
    return home


def calls(home: Path) -> list[dict[str, Any]]:
    log = home / "seen.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
