"""Loops as earlier releases wrote them, run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.run.test_earlier import earlier, run

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

__all__ = ["earlier"]  # the fixture

COUNT = """\
import json, sys
told = json.load(sys.stdin)
n = len(told["input"])
print(json.dumps({"ok": n >= %d, "next": told["input"] + "x", "n": n, "state": "deep dive" if n > 2 else "no"}))
"""


@pytest.mark.parametrize(
    ("keys", "enough", "rounds", "ended"),
    [
        ("until: '${ok}', max_iterations: 5, carry: '${next}'", 3, 3, "until"),
        ("until: '${state} == deep dive', max_iterations: 5, carry: '${next}'", 9, 3, "until"),
        ("until: '${n} == 2', max_iterations: 5, carry: '${next}'", 9, 2, "until"),
        ("until: '${ok}', max_iterations: 2, carry: '${next}'", 9, 2, "exhausted"),
        ("until: '${nowhere.deep}', max_iterations: 2, carry: '${nowhere}'", 9, 2, "exhausted"),
        ("max_iterations: 1", 9, 1, "exhausted"),
    ],
)
def test_a_loop_of_an_earlier_release(earlier: Shell, keys: str, enough: int, rounds: int, ended: str) -> None:
    (earlier.config.parent / "scripts" / "count.py").write_text(COUNT % enough)
    earlier.own_ensemble("round", "name: round\ndescription: d\nagents: [{name: count, script: count.py}]\n")
    agents = (
        f"  - {{name: loop, loop: {{body: round, {keys}}}}}\n"
        "  - {name: told, script: echo.py, depends_on: [loop]}\n"
    )
    earlier.own_ensemble("older", f"name: older\ndescription: d\nagents:\n{agents}")

    done = earlier.run("invoke", "older", "x", "--json")

    results = json.loads(done.stdout)["results"]
    assert done.returncode == 0, done.stderr
    told = results["told"]["data"]["dependencies"]["loop"]
    wrapper = json.loads(told["response"])
    assert (wrapper["iterations"], wrapper["terminated"]) == (rounds, ended)
    assert wrapper["output"] == told["data"] == results["loop"]["data"]


@pytest.mark.parametrize(
    ("keys", "says"),
    [("body: child", "Add `max_iterations: 3`"), ("body: child, max_iterations: 0", "at least 1")],
)
def test_a_loop_without_a_bound_is_an_error(earlier: Shell, keys: str, says: str) -> None:
    earlier.own_ensemble("older", f"name: older\ndescription: d\nagents: [{{name: a, loop: {{{keys}}}}}]\n")

    done = earlier.run("check", "older", "--offline")

    assert done.returncode == 3
    assert says in done.stdout


def test_a_round_of_an_earlier_release_may_fail_if_it_is_not_the_last(earlier: Shell) -> None:
    once = "import pathlib, sys\np = pathlib.Path(__file__).with_name('seen')\n"
    once += "if p.exists(): print('{\"ok\": true}')\nelse:\n    p.touch()\n    sys.exit('not yet')\n"
    (earlier.config.parent / "scripts" / "once.py").write_text(once)
    earlier.own_ensemble("round", "name: round\ndescription: d\nagents: [{name: once, script: once.py}]\n")

    results = run(earlier, "  - {name: loop, loop: {body: round, until: '${ok}', max_iterations: 3}}\n")

    assert results["loop"]["data"] == {"ok": True}
