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
from llm_orc.cli.shell.output.side_by_side import figures_table
from llm_orc.cli.shell.output.streams import write_data
from llm_orc.formats.comparison import difference_lines, difference_values, figures_value

if TYPE_CHECKING:
    from llm_orc.app.history.compare import Comparison


@define_command({0: "every answer is the same", 1: "an answer differs"})
@click.argument("left", metavar="A", type=RunName())
@click.argument("right", metavar="B", type=RunName())
@json_option
@store_of_row_option
def command(*, left: str, right: str, as_json: bool, store: str | None) -> int:
    """Show what differs in run B from run A, after the time, tokens and cost of both.

    Compared are the task and the inputs; of each agent, also of those within others, the prompts, the model, the
    answer, and how many items, rounds, samples or quotes there were. A and B may be rows of batches, `BATCH:ROW`.
    """
    app = app_here()
    records = get_run(app, left, store), get_run(app, right, store)
    comparison = compare_runs(*records)
    if as_json:
        write_json(
            {
                "a": comparison.left,
                "b": comparison.right,
                "same_answers": comparison.same_answers,
                "figures": [figures_value(record.result) for record in records],
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
        figures = figures_table([(name, record.result) for name, record in zip("AB", records, strict=True)])
        write_data(figures + "\n".join(_lines(comparison)) + "\n")
    return 0 if comparison.same_answers else 1


def _lines(comparison: Comparison) -> list[str]:
    lines = [f"A {comparison.left}", f"B {comparison.right}", *difference_lines(comparison.differences)]
    for agent in comparison.agents:
        lines += ["", f"=== {agent.agent}: {'same answer' if agent.same_answer else 'other answer'}"]
        lines += difference_lines(agent.differences)
        lines += agent.answer
    return lines
