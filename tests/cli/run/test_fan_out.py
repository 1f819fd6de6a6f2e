"""Agents that run once for each item of a list, as a person and a script see them."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

# Each item says that it was asked. `bad` fails and `slow` waits, until there is a file that says otherwise.
ITEM = (
    'echo "$1" >> asked; case "$1" in bad) [ -e mended ] || exit 7;; slow) while [ ! -e go ]; do sleep 0.02; done;;'
    ' esac; echo "<$1>"'
)
PARTS = f"""\
name: parts
task: none
inputs: {{list: array}}
agents:
  - name: review
    fan_out: {{over: "${{inputs.list}}", max: 100, max_concurrent: 1}}
    script: [sh, -c, '{ITEM}', x, "${{item}}"]
  - {{name: count, depends_on: [review], script: [wc, -c]}}
"""


@pytest.fixture
def parts(shell: Shell) -> Shell:
    shell.own_ensemble("parts", PARTS)
    return shell


def asked(shell: Shell) -> Counter[str]:
    path = shell.cwd / "asked"
    return Counter(path.read_text().split()) if path.exists() else Counter()


def results(text: str) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(text)["results"]
    return found


def test_each_item_is_an_agent_and_what_failed_is_asked_again_alone(parts: Shell) -> None:
    done = parts.run("invoke", "parts", "--set", 'list=["one", "bad", "three"]', "--json")
    (parts.cwd / "mended").touch()
    retried = parts.run("runs", "retry", "last", "--json")

    first, second = results(done.stdout), results(retried.stdout)
    assert list(first) == ["review", "review[0]", "review[1]", "review[2]", "count"]
    assert first["review"]["items"] == {"total": 3, "completed": 2, "failed": 1}
    assert first["review"]["data"][1]["failed"] is True  # type: ignore[index]
    assert (first["review[1]"]["status"], first["review[0]"]["items"]) == ("failed", None)
    assert second["review"]["data"] == ["<one>", "<bad>", "<three>"]
    assert [name for name, one in second.items() if one["kept"]] == ["review[0]", "review[2]"]
    assert asked(parts) == {"one": 1, "bad": 2, "three": 1}


def test_one_item_is_shown_and_asked_again_by_its_path(parts: Shell) -> None:
    parts.run("invoke", "parts", "--set", 'list=["one", "two"]')

    shown = parts.run("runs", "show", "last", "--agent", "review[1]")
    whole = parts.run("runs", "show", "last", "--all")
    forked = parts.run("runs", "fork", "last", "--from", "review[1]", "--json")
    wrong = parts.run("runs", "fork", "last", "--from", "count[1]")

    assert shown.stdout == "<two>\n"
    assert "=== review[" not in whole.stdout
    assert "2 items" in whole.stdout
    assert [name for name, one in results(forked.stdout).items() if not one["kept"]] == [
        "review",
        "review[1]",
        "count",
    ]
    assert asked(parts) == {"one": 1, "two": 2}
    assert "the run has no agent `count[1]`" in wrong.stderr


def test_a_killed_run_asks_only_for_the_items_without_an_answer(parts: Shell) -> None:
    with parts.started("invoke", "parts", "--set", 'list=["one", "two", "slow", "four"]') as process:
        until = time.monotonic() + 30
        while not asked(parts)["slow"] and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    (parts.cwd / "go").touch()

    resumed = parts.run("resume", "last", "--json")

    assert resumed.returncode == 0, resumed.stderr
    assert results(resumed.stdout)["review"]["data"] == ["<one>", "<two>", "<slow>", "<four>"]
    assert asked(parts) == {"one": 1, "two": 1, "slow": 2, "four": 1}


def test_many_items_are_told_in_tenths_and_their_events_are_lines(parts: Shell) -> None:
    parts.own_ensemble("parts", PARTS.replace(ITEM, "echo $1").replace("max_concurrent: 1", "max_concurrent: 4"))
    items = json.dumps([f"i{number}" for number in range(50)])
    done = parts.run("invoke", "parts", "--set", f"list={items}", "--output-format", "jsonl")

    kinds = Counter(json.loads(line)["type"] for line in done.stdout.splitlines())
    assert (kinds["items_started"], kinds["agent_finished"]) == (1, 52)
    assert "5 of 50 items of review ended" in done.stderr
    assert "review[7]" not in done.stderr


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        (
            '{name: a, fan_out: {over: "${inputs.text}"}}',
            "is an input of the type `string`, and `over` needs a list",
        ),
        ('{name: a, fan_out: {over: "${task}"}}', "`${task}` is text, and `over` needs a list"),
        ("{name: a, fan_out: true}", "agent `a` has `fan_out: true`, and no `depends_on`"),
        ("{name: a, fan_out: {over: words}}", "whose `over` is one reference"),
        ("{name: a, fan_out: {over: [x], as: task}}", "whose `as` is another word than `task`"),
        ("{name: a, fan_out: {over: [x], most: 3}}", "it has `most`"),
        ("{name: a, fan_out: {over: [x], max: 0}}", "whose `max` is a whole number, at least 1"),
        ('{name: a, fan_out: {over: ["${item}"]}}', "`${item}` is known only within a fan-out"),
        ('{name: a, when: "${item} == 1", fan_out: {over: [x]}}', "`${item}` is known only within a fan-out"),
        (
            '{name: a, fan_out: {over: [x], as: row}, prompt: "${item}"}',
            "`${item}` is known only within a fan-out",
        ),
        ('{name: a, fan_out: {over: "${b.x}"}, script: [echo, "${item}"]}', "becomes a part of a command"),
        ("{name: a, fan_out: {over: [x]}, conversation: true}", "has both `fan_out` and `conversation`"),
    ],
)
def test_what_is_wrong_is_found_before_anything_runs(shell: Shell, agent: str, message: str) -> None:
    shell.own_ensemble("one", f"name: one\ninputs: {{text: string}}\nagents:\n- {{name: b}}\n- {agent}\n")

    done = shell.run("check", "one", "--offline", "--json")

    problems = json.loads(done.stdout)["problems"]
    assert done.returncode == 3
    assert any(message in one["message"] and one["line"] == 5 for one in problems), problems


def test_an_item_that_an_input_gives_may_be_an_argument(parts: Shell) -> None:
    assert parts.run("check", "parts", "--offline").returncode == 0


def test_a_long_beginning_is_written_into_the_providers_cache_once(shell: Shell, pretend: str) -> None:
    origin = pretend.removesuffix("/v1")
    shell.config.write_text(
        f"model_profiles:\n  default: {{provider: anthropic-api, model: claude-sonnet-5-5}}\n"
        f"providers:\n  anthropic-api: {{base_url: '{origin}', billing: local}}\n"
    )
    shell.environ["ANTHROPIC_API_KEY"] = "sk-0000-none"
    agent = '{name: a, fan_out: {over: "${inputs.list}"}, prompt: "${inputs.rules}\\n\\nAbout ${item}"}'
    shell.own_ensemble(
        "long", f"name: long\ntask: none\ninputs: {{list: array, rules: string}}\nagents:\n- {agent}\n"
    )
    items, rules = json.dumps([f"item {number}" for number in range(50)]), f"Rules of {shell.cwd}. " * 200

    done = shell.run("invoke", "long", "--set", f"list={items}", "--set", f"rules={rules}", "--json")

    assert done.returncode == 0, done.stderr
    usages = [one["usage"] for name, one in results(done.stdout).items() if name.startswith("a[")]
    assert len(usages) == 50
    assert sum(usage["cache_write_tokens"] > 0 for usage in usages) == 1  # type: ignore[index]
    assert sum(usage["cache_read_tokens"] > 0 for usage in usages) == 49  # type: ignore[index]


@pytest.mark.slow
def test_rows_of_a_batch_run_over_items(shell: Shell) -> None:
    inner = "name: inner\ninputs: {x: string}\nagents:\n- {name: leaf, fan_out: {over: [p, q]}, prompt: '${inputs.x} ${item}'}\n"
    shell.own_ensemble("inner", inner)
    outer = "{name: a, fan_out: {over: [1, 2]}, ensemble: inner, inputs: {x: 'no ${item} of ${task}'}}"
    shell.own_ensemble("outer", f"name: outer\nagents:\n- {outer}\n")

    done = shell.run("batch", "outer", "--inputs", "-", "--rehearse", stdin="one\ntwo\n")

    rows = [results(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert len(rows) == 2
    for row in rows:
        assert row["a"]["items"] == {"total": 2, "completed": 2, "failed": 0}
        assert {"a[0]", "a[1]/leaf", "a[1]/leaf[1]"} <= set(row)
