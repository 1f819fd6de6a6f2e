"""`llm-orc runs retry|fork|diff`: begin a run anew from an earlier one, and see what became other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.cli.batch.options import store_of_row_option
from llm_orc.cli.shell.arguments import RunName
from llm_orc.cli.shell.options import CONTEXT, app_here, json_option, output_of, running_options, write_json
from llm_orc.cli.shell.streams import note, write_data
from llm_orc.cli.table import EXIT_CODES

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.history.compare import Comparison
    from llm_orc.engine.events import RunEvent
    from llm_orc.errors import MeteredNotAllowed
    from llm_orc.runs.state import RunResult


@click.command("retry", context_settings=CONTEXT, epilog=EXIT_CODES)
@click.argument("run", default="last", type=RunName())
@click.option("--all", "everything", is_flag=True, help="Ask all agents again, also those that have answered.")
@store_of_row_option
@running_options
def retry_command(*, run: str, everything: bool, store: str | None, **running: object) -> int:
    """Begin RUN anew: agents that have answered keep their answers, the others are asked.  [default: the last run]

    The old run stays as it is; `resume` is what goes on with it. RUN may be a row of a batch, `BATCH:ROW`.
    """
    return _begin_anew(run, (), store, everything=everything, **running)  # type: ignore[arg-type]


@click.command("fork", context_settings=CONTEXT, epilog=EXIT_CODES)
@click.argument("run", default="last", type=RunName())
@click.option(
    "--from",
    "asked",
    multiple=True,
    required=True,
    metavar="AGENT",
    help="Ask this agent again, and all that depend on it; as often as one likes.",
)
@store_of_row_option
@running_options
def fork_command(*, run: str, asked: tuple[str, ...], store: str | None, **running: object) -> int:
    """Begin RUN anew from AGENT on: what came before is kept, and not paid for again.  [default: the last run]

    RUN may be a row of a batch, `BATCH:ROW`.

    \b
    llm-orc runs fork last --from chair
    """
    return _begin_anew(run, asked, store, everything=False, **running)  # type: ignore[arg-type]


def _begin_anew(
    run: str,
    asked: tuple[str, ...],
    store: str | None,
    *,
    everything: bool,
    format_name: str,
    output_file: str | None,
    quiet: bool,
    allow_metered: bool,
    max_concurrent: int | None,
    timeout_s: float | None,
    max_cost_usd: float | None,
    max_calls: int | None,
) -> int:
    from llm_orc.app.history.fork import ForkOptions, fork_run, origin_of
    from llm_orc.cli.run.carry_out import carry_out
    from llm_orc.cli.shell.consent import agrees_to_pay

    output = output_of(format_name, output_file, quiet=quiet)
    app = app_here()
    origin = origin_of(app, run, store)
    if origin.recipe.conversation is not None:
        note(f"The new run is no part of the conversation `{origin.recipe.conversation}`.")

    def start(
        *,
        allow_metered: bool,
        stream: bool,
        show: Callable[[RunEvent], None],
        planned: Callable[[AccessPlan], None],
    ) -> Coroutine[object, object, RunResult]:
        options = ForkOptions(
            asked=asked,
            everything=everything,
            allow_metered=allow_metered,
            max_concurrent=max_concurrent,
            timeout_s=timeout_s,
            max_cost_usd=max_cost_usd,
            max_calls=max_calls,
            stream=stream,
        )
        return fork_run(app, origin, options, show=show, planned=planned)

    def agree(refusal: MeteredNotAllowed) -> bool:
        return agrees_to_pay(app, refusal, "this run")

    return carry_out(start, output, allow_metered=allow_metered, recorded=True, agree=agree)


@click.command("diff", context_settings=CONTEXT)
@click.argument("left", metavar="A", type=RunName())
@click.argument("right", metavar="B", type=RunName())
@json_option
@store_of_row_option
def diff_command(*, left: str, right: str, as_json: bool, store: str | None) -> int:
    """Show what is other in run B than in run A. Exit code 0 where all answers are the same, 1 where not.

    A and B may be rows of batches, `BATCH:ROW`.
    """
    from llm_orc.app.history.compare import compare_runs
    from llm_orc.app.history.runs import get_run

    app = app_here()
    comparison = compare_runs(get_run(app, left, store), get_run(app, right, store))
    if as_json:
        from llm_orc.formats.comparison import difference_values

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
    from llm_orc.formats.comparison import difference_lines

    lines = [f"A {comparison.left}", f"B {comparison.right}", *difference_lines(comparison.differences)]
    for agent in comparison.agents:
        lines += ["", f"=== {agent.agent}: {'same answer' if agent.same_answer else 'other answer'}"]
        lines += difference_lines(agent.differences)
        lines += agent.answer
    return lines


COMMANDS = (retry_command, fork_command, diff_command)
