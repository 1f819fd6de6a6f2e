"""A stand-in for `claude`: it speaks the same output format, its error forms included, and asks nobody.

`install` puts it on a PATH. What it got is in `seen`; a prompt that holds `[do NAME]` makes it do that.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROGRAM = r"""
import json, os, signal, sys, time
home = HOME_DIRECTORY
arguments = sys.argv[1:]
setup = json.load(open(os.path.join(home, "setup.json")))

def record(**what):
    with open(os.path.join(home, "seen.jsonl"), "a") as log:
        log.write(json.dumps(dict(what, pid=os.getpid(), at=time.time())) + "\n")

def say(**line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()

if arguments == ["--version"]:
    print(setup["version"] + " (Claude Code)")
    raise SystemExit
if arguments[-2:] == ["auth", "status"]:
    print(json.dumps(setup["status"]))
    raise SystemExit(0 if setup["status"]["loggedIn"] else 1)

if setup["do"] == "deaf":
    record(arguments=arguments)
    time.sleep(600)
prompt_file = arguments[arguments.index("--system-prompt-file") + 1]
record(arguments=arguments, environ=dict(os.environ), cwd=os.getcwd(), files=os.listdir("."),
       system_prompt=open(prompt_file).read(), mode=oct(os.stat(prompt_file).st_mode))
usage = {"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 1}
history = []

def result(text, **more):
    say(**{"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": text,
           "stop_reason": "end_turn", "terminal_reason": "completed", "usage": usage, "total_cost_usd": 0.01, **more})

def assistant(text, **more):
    say(type="assistant", message={"model": more.pop("model", "claude-sonnet-5-5"),
                                    "content": [{"type": "text", "text": text}]}, **more)

def event(**what):
    say(type="stream_event", event=what)

def stream(text):
    event(type="message_start", message={"model": "claude-sonnet-5-5", "content": []})
    for word in text.split(" "):
        event(type="content_block_delta", delta={"type": "text_delta", "text": word + " "})

def failed(status, text, word="", code=1):
    assistant(text, model="<synthetic>", **({"error": word} if word else {}))
    result(text, is_error=True, api_error_status=status, stop_reason="stop_sequence", terminal_reason="api_error")
    raise SystemExit(code)

def once(name):
    path = os.path.join(home, "did-" + name)
    if os.path.exists(path):
        return False
    open(path, "w").close()
    return True

def act(do, answer):
    if do == "swallow": result("/help isn't available in this environment.", num_turns=0)
    elif do == "refuse":
        stream("I would")
        result("", is_error=True, stop_reason="refusal"); raise SystemExit(1)
    elif do == "long":
        stream("the first part")
        assistant("the first part ")
        event(type="message_delta", delta={"stop_reason": "max_tokens"}, usage=usage)
        time.sleep(0.2)
        stream("the rest"); assistant("the rest"); result("the rest", num_turns=2)
    elif do == "two-turns": assistant("one"); assistant("two"); result("two", num_turns=2)
    elif do == "tool": result("", subtype="error_max_turns")
    elif do == "cut": stream("only a"); failed(None, "API Error: Connection to the API was lost (ECONNRESET)")
    elif do == "error-exit-0": failed(500, "API Error: 500", "server_error", code=0)
    elif do == "logged-out": failed(None, "Not logged in \u00b7 Please run /login", "authentication_failed")
    elif do == "forbidden": failed(403, "API Error: 403 not for you", "oauth_org_not_allowed")
    elif do == "bad-request": failed(400, "API Error: 400 bad", "invalid_request")
    elif do == "no-model": failed(404, "There's an issue with the selected model (x)")
    elif do == "too-large": failed(None, "Prompt is too long")
    elif do == "on-hold": failed(None, "Your account is on hold", "account_on_hold")
    elif do == "refreshing-once" and once(do): failed(None, "another Claude Code process is refreshing it", "server_error")
    elif do == "overage":
        say(type="rate_limit_event", rate_limit_info={"status": "allowed", "isUsingOverage": True}); time.sleep(60)
    elif do == "limit-without-a-time": failed(429, "You've hit your limit", "rate_limit")
    elif do == "limit-until" and time.time() < setup["resets_at"]:
        say(type="rate_limit_event", rate_limit_info={"status": "rejected", "resetsAt": setup["resets_at"]})
        failed(429, "You've hit your limit", "rate_limit")
    elif do == "limit":
        say(type="rate_limit_event", rate_limit_info={"status": "rejected", "resetsAt": time.time() + 7200})
        failed(429, "You've hit your limit", "rate_limit")
    elif do == "rubbish": print("Segmentation fault?\x1b[31m\n" * 1100); sys.stdout.flush(); time.sleep(60)
    elif do == "rubbish-once" and once(do): print("Segmentation fault?\n" * 1100); sys.stdout.flush(); time.sleep(60)
    elif do == "one-word": print("Segmentation fault?"); sys.stdout.flush(); raise SystemExit(0)
    elif do == "raw": sys.stdout.buffer.write(bytes.fromhex(setup["raw"])); sys.stdout.flush(); result(answer)
    elif do == "endless-retries":
        while True:
            say(type="system", subtype="api_retry", retry_delay_ms=1, error="overloaded"); time.sleep(0.4)
    elif do == "drip":
        while True: stream("more"); time.sleep(0.03)
    elif do == "flood":
        while True: sys.stdout.write(json.dumps({"type": "stream_event", "event": {"x": "y" * 5000}}) + "\n")
    elif do == "endless-line":
        while True: sys.stdout.write("y" * 65536)
    elif do == "complain":
        while True: sys.stderr.write("y" * 65536)
    elif do in {"daemon", "daemon-and-end"}:
        if os.fork() == 0:
            os.setsid(); record(daemon=True); time.sleep(600)  # holds all three pipes, in a group of its own
        if do == "daemon": stream(answer); assistant(answer); result(answer)
        os._exit(0)
    elif do == "tool-block":
        say(type="assistant", message={"model": "m", "content": [{"type": "tool_use", "name": "Bash", "input": {}}]})
        time.sleep(60)
    elif do == "nothing": raise SystemExit(0)
    elif do == "crash": os.kill(os.getpid(), signal.SIGKILL)
    elif do == "crash-once" and once(do): os.kill(os.getpid(), signal.SIGKILL)
    elif do == "hang":
        if os.fork() == 0: time.sleep(600)  # something that it started itself
        time.sleep(600)
    elif do == "retry":
        stream("void words")
        say(type="system", subtype="api_retry", attempt=1, max_retries=2, retry_delay_ms=1, error_status=529, error="overloaded")
        stream(answer); assistant(answer); result(answer)
    elif do == "slow": time.sleep(0.3); stream(answer); assistant(answer); result(answer)
    else: stream(answer); assistant(answer); result(answer)

for line in sys.stdin:
    turn = json.loads(line)
    content = turn["message"]["content"]
    prompt = content if isinstance(content, str) else content[-1]["text"]
    record(prompt=prompt, content=content, composed=turn.get("client_composed"))
    say(type="system", subtype="init", apiKeySource=setup["key_source"], tools=setup["tools"], model="claude-sonnet-5-5")
    history.append(prompt)
    do = prompt.split("[do ", 1)[1].split("]", 1)[0] if "[do " in prompt else setup["do"]
    act(do, "answer %d to %s" % (len(history), prompt[-40:]))
"""


@dataclass
class StandIn:
    """A PATH with the stand-in on it, and what it was given."""

    folder: Path

    @property
    def path(self) -> str:
        return str(self.folder / "bin")

    def set_up(
        self,
        *,
        version: str = "2.1.330",
        status: dict[str, object] | None = None,
        key_source: str = "none",
        tools: tuple[str, ...] = (),
        do: str = "answer",
        raw: bytes = b"",
        resets_at: float = 0.0,
    ) -> None:
        logged_in = {
            "loggedIn": True,
            "authMethod": "claude.ai",
            "apiProvider": "firstParty",
            "subscriptionType": "max",
        }
        setup = {
            "version": version,
            "status": status or logged_in,
            "key_source": key_source,
            "tools": tools,
            "do": do,
            "raw": raw.hex(),  # what the deed `raw` writes before its result
            "resets_at": resets_at,  # of the deed `limit-until`
        }
        (self.folder / "setup.json").write_text(json.dumps(setup))

    @property
    def seen(self) -> list[dict[str, Any]]:
        log = self.folder / "seen.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    @property
    def starts(self) -> list[dict[str, Any]]:
        return [one for one in self.seen if "arguments" in one]

    @property
    def prompts(self) -> list[str]:
        return [one["prompt"] for one in self.seen if "prompt" in one]


LOGGED_OUT: dict[str, object] = {"loggedIn": False, "authMethod": "none", "apiProvider": "firstParty"}


def install(folder: Path) -> StandIn:
    """Put a logged-in stand-in into `folder`/bin."""
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "claude"
    body = _PROGRAM.replace("HOME_DIRECTORY", repr(str(folder)))
    program.write_text(f"#!{sys.executable} -SE\n{body}", encoding="utf-8")
    program.chmod(0o755)
    stand_in = StandIn(folder)
    stand_in.set_up()
    return stand_in
