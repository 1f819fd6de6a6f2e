"""`llm-orc runs diff`: what differs between two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.app.history.compare import compare_runs
from llm_orc.app.history.runs import get_run
from llm_orc.cli.batch.options import store_of_row_option
from llm_orc.cli.shell.arguments import RunName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import write_data
from llm_orc.formats.comparison import difference_lines, difference_values

if TYPE_CHECKING:
    from llm_orc.app.history.compare import Comparison


@define_command({0: "every answer is the same", 1: "an answer differs"})
@click.argument("left", metavar="A", type=RunName())
@click.argument("right", metavar="B", type=RunName())
@json_option
@store_of_row_option
def command(*, left: str, right: str, as_json: bool, store: str | None) -> int:
    """Show what differs in run B from run A.

    A and B may be rows of batches, `BATCH:ROW`.
    """
    app = app_here()
    comparison = compare_runs(get_run(app, left, store), get_run(app, right, store))
    if as_json:
        write_json(
            {
                "a": comparison.left,
                "b": comparison.right,
                "same_answers": comparison.same_answers,
                "differences": difference_values(comparison.differences),
                "agents": {
                    agent.agent: {
                        "same_answer": agent.same_answer,
                        "differences": difference_values(agent.differences),
                        "diff": list(agent.answer),
                    }
                    for agent in comparison.agents
                },
            }
        )
    else:
        write_data("\n".join(_lines(comparison)) + "\n")
    return 0 if comparison.same_answers else 1


def _lines(comparison: Comparison) -> list[str]:
    lines = [f"A {comparison.left}", f"B {comparison.right}", *difference_lines(comparison.differences)]
    for agent in comparison.agents:
        lines += ["", f"=== {agent.agent}: {'same answer' if agent.same_answer else 'other answer'}"]
        lines += difference_lines(agent.differences)
        lines += agent.answer
    return lines
