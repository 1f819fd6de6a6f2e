"""The duration of commands with many stored turns: `python -m benchmarks.conversations [TURNS]`.

Two stores: one with all turns in a single conversation, one with two hundred turns in each. Every command is a
whole process, from its start to its end; `--continue` sends its history to a loopback server that answers at once.
The minimum of five runs is given, in milliseconds, beside that of the same command on an empty store.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from llm_orc.conversations.store import ConversationStore

_PROGRAM = (sys.executable, "-c", "import sys; from llm_orc.cli.main import main; sys.exit(main())")
_TRIES = 5
_EACH = 200  # turns per conversation in the store of many conversations
_TEXT = "Some forty words of ordinary length stand for what a person or a model says in one turn. " * 3


def _fill(path: Path, turns: int, each: int) -> None:
    """Write the turns in one transaction. No run does that, but only reading is measured."""
    store = ConversationStore(path)
    with store.database.change() as connection:
        for number in range(turns // each):
            connection.execute(
                "INSERT INTO conversations (number, name, ensemble, created_at, changed_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (number + 1, f"talk-{number}", "chat", float(number), float(number)),
            )
            connection.executemany(
                "INSERT INTO turns (conversation, agent, role, state, text, at, run_id, input_tokens, cost_usd)"
                " VALUES (?, 'assistant', ?, 'done', ?, ?, ?, 10, 0.0)",
                [
                    (
                        number + 1,
                        ("user", "assistant")[turn % 2],
                        f"{turn} {_TEXT}",
                        float(turn),
                        f"run-{turn // 2}",
                    )
                    for turn in range(each)
                ],
            )
    store.close()


def _milliseconds(home: Path, server: str, *arguments: str, stdin: str = "") -> float:
    environ = {"PATH": os.environ["PATH"], "HOME": str(home)}
    config = home / ".config" / "llm-orc" / "config.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(
        "model_profiles: {default: {provider: openai-compatible, model: m}}\n"
        f"providers: {{openai-compatible: {{base_url: '{server}'}}}}\n"
    )
    least = float("inf")
    for _ in range(_TRIES):
        began = time.perf_counter()
        done = subprocess.run(
            [*_PROGRAM, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=environ,
            cwd=home,
            check=False,
        )
        least = min(least, time.perf_counter() - began)
        if done.returncode:
            raise SystemExit(done.stderr)
    return round(least * 1000, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("turns", type=int, nargs="?", default=100_000)
    turns: int = parser.parse_args().turns
    with subprocess.Popen(
        [*_PROGRAM, "sandbox", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        server = next(line.split("\t")[1].strip() for line in process.stdout if line.startswith("openai-chat"))
        figures = {}
        for name, each in (("empty", 0), ("many conversations", _EACH), ("one conversation", turns)):
            with tempfile.TemporaryDirectory() as folder:
                home = Path(folder)
                if each:
                    _fill(home / ".local" / "state" / "llm-orc" / "conversations.sqlite", turns, each)
                figures[name] = {"list": _milliseconds(home, server, "conversations", "list")}
                if each:
                    figures[name]["show"] = _milliseconds(home, server, "conversations", "show")
                    figures[name]["chat --continue, one turn"] = _milliseconds(
                        home, server, "chat", "--continue", stdin="and now?\n"
                    )
                figures[name]["chat, one turn"] = _milliseconds(home, server, "chat", stdin="hello\n")
        process.kill()
    print(json.dumps({"turns": turns, "milliseconds": figures}, indent=2))


if __name__ == "__main__":
    main()
