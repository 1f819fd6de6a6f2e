"""`llm-orc demo`: the packaged panel, on the best access found or on canned answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.output_options import OutputOptions, output_of, output_options
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from llm_orc.app.access.consent import Consent
    from llm_orc.app.runs.request import RunListener
    from llm_orc.app.wiring import App
    from llm_orc.errors import MeteredNotAllowed, NotLoggedIn
    from llm_orc.runs.results import RunResult

_NO_ACCESS = """
That was the sandbox: canned answers, no model. For real ones: llm-orc setup"""


@define_command()
@click.option(
    "--allow-metered",
    is_flag=True,
    help="Agree to calls that are billed per token or to a plan's credits.  [default: use the sandbox instead]",
)
@output_options
def command(*, allow_metered: bool, **written: Unpack[OutputOptions]) -> int:
    """Run the packaged ensemble `multi-role-test`: three specialists and a chair on one question.

    It uses the best access that costs nothing per call. If there is none, it uses canned answers from the sandbox,
    and says so.
    """
    from llm_orc.app.access.consent import Consent
    from llm_orc.cli.run.carry_out import carry_out

    output = output_of(written)
    demo = _Demo(app_here())
    code = carry_out(demo, Consent(allow_metered), output)
    if demo.used_sandbox and not written["quiet"]:
        note(_NO_ACCESS)
    return code


@dataclass(slots=True)
class _Demo:
    """See `carry_out.Request`."""

    app: App
    used_sandbox: bool = False

    @property
    def recorded(self) -> bool:
        return self.app.settings.runs.record

    async def start(self, consent: Consent, listener: RunListener) -> RunResult:
        from llm_orc.app.runs.demo import run_demo

        result = await run_demo(self.app, listener, allow_metered=consent.allow_metered)
        self.used_sandbox = result.sandbox
        return result

    def agree(self, refusal: MeteredNotAllowed, consent: Consent) -> None:
        return None

    def set_up(self, missing: NotLoggedIn) -> bool:
        return False
