"""Start a new run from an earlier one, keeping the answers that are not asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.cli.shell.options import app_here, output_of
from llm_orc.cli.shell.streams import note

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from llm_orc.app.access.models import AccessPlan
    from llm_orc.engine.events import RunEvent
    from llm_orc.errors import MeteredNotAllowed
    from llm_orc.runs.state import RunResult


def start_again(
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
