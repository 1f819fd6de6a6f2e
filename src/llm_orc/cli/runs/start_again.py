"""Start a new run from an earlier one, keeping the answers that are not asked for again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

from llm_orc.cli.shell.options import RunningOptions, app_here, limits_of
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.output_options import output_of
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from llm_orc.agents.named_models import NamedModels
    from llm_orc.app.access.consent import Consent
    from llm_orc.app.history.fork import ForkOptions, Origin
    from llm_orc.app.runs.request import RunListener
    from llm_orc.app.wiring import App
    from llm_orc.errors import MeteredNotAllowed, NotLoggedIn
    from llm_orc.runs.results import RunResult


def start_again(
    run: str,
    asked: tuple[str, ...],
    store: str | None,
    models: NamedModels,
    *,
    everything: bool,
    **running: Unpack[RunningOptions],
) -> int:
    """Run to the end, and return the exit code."""
    from llm_orc.app.access.consent import Consent
    from llm_orc.app.history.fork import ForkOptions, origin_of
    from llm_orc.cli.run.carry_out import carry_out

    output = output_of(running)
    app = app_here()
    origin = origin_of(app, run, store)
    if origin.recipe.conversation is not None:
        note(f"The new run is not part of the conversation `{origin.recipe.conversation}`.")
    options = ForkOptions(asked, everything=everything, limits=limits_of(running), models=models)
    request = _Fork(app, origin, options)
    return carry_out(request, Consent(running["allow_metered"]), output)


@dataclass(frozen=True, slots=True)
class _Fork:
    """See `carry_out.Request`."""

    app: App
    origin: Origin
    options: ForkOptions
    recorded: bool = True

    async def start(self, consent: Consent, listener: RunListener) -> RunResult:
        from llm_orc.app.history.fork import fork_run

        return await fork_run(self.app, self.origin, replace(self.options, consent=consent), listener)

    def agree(self, refusal: MeteredNotAllowed, consent: Consent) -> Consent | None:
        from llm_orc.app.history.fork import preview_fork
        from llm_orc.cli.shell.consent import Costly, ask_to_pay
        from llm_orc.net.event_loop import run_to_end

        def costly() -> Costly:
            plan = run_to_end(preview_fork(self.app, self.origin, self.options))
            return Costly("this run", plan, self.origin.recipe.ensemble)

        return ask_to_pay(self.app, refusal, costly, consent)

    def set_up(self, missing: NotLoggedIn) -> bool:
        return False
