"""`llm-orc demo`: the packaged panel, on the best access there is or on canned answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, output_of, output_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.app.access.models import AccessPlan
    from llm_orc.engine.events import RunEvent
    from llm_orc.runs.state import RunResult

_NO_ACCESS = """
That was the sandbox: canned answers, no model. To get real ones: llm-orc setup"""


@define_command()
@click.option(
    "--allow-metered",
    is_flag=True,
    help="Agree to calls that are billed per token.  [default: use the sandbox rather than pay]",
)
@output_options
def command(*, allow_metered: bool, format_name: str, output_file: str | None, quiet: bool) -> int:
    """Run the packaged ensemble `multi-role-test`: three specialists and a chair on one question.

    It uses the best access that it finds without cost. Where there is none it takes canned answers from the
    sandbox, and says so.
    """
    from llm_orc.app.runs.demo import run_demo
    from llm_orc.cli.run.carry_out import carry_out
    from llm_orc.cli.shell.streams import note

    output = output_of(format_name, output_file, quiet=quiet)
    app = app_here()
    used_sandbox = False

    async def start(
        *,
        allow_metered: bool,
        stream: bool,
        show: Callable[[RunEvent], None],
        planned: Callable[[AccessPlan], None],
    ) -> RunResult:
        nonlocal used_sandbox
        result = await run_demo(app, show=show, planned=planned, stream=stream, allow_metered=allow_metered)
        used_sandbox = result.sandbox
        return result

    code = carry_out(start, output, allow_metered=allow_metered, recorded=app.settings.runs.record)
    if used_sandbox and not quiet:
        note(_NO_ACCESS)
    return code
