"""A new run of an ensemble, for a person who may be asked before it costs, or set up what is missing."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.cli.shell.exits import write_error
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.prompts import confirmed, person_is_here
from llm_orc.dataclass import dataclass
from llm_orc.errors import StorageError
from llm_orc.storage.atomic import write_private

if TYPE_CHECKING:
    from llm_orc.app.access.consent import Consent
    from llm_orc.app.runs.request import RunListener
    from llm_orc.app.runs.run import RunOptions
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.errors import MeteredNotAllowed, NotLoggedIn
    from llm_orc.runs.results import RunResult


@dataclass(slots=True)
class NewRun:
    """See `carry_out.Request`."""

    app: App
    ensemble: Ensemble
    options: RunOptions
    recorded: bool

    async def start(self, consent: Consent, listener: RunListener) -> RunResult:
        from llm_orc.app.runs.run import run_ensemble

        return await run_ensemble(self.app, self.ensemble, replace(self.options, consent=consent), listener)

    def agree(self, refusal: MeteredNotAllowed, consent: Consent) -> Consent | None:
        from llm_orc.app.access.explain import preview_run
        from llm_orc.cli.shell.consent import Costly, ask_to_pay
        from llm_orc.net.event_loop import run_to_end

        def costly() -> Costly:
            asked = self.options
            plan = run_to_end(preview_run(self.app, self.ensemble, asked.task or "", asked.models, asked.inputs))
            return Costly("this run", plan, self.ensemble)

        return ask_to_pay(self.app, refusal, costly, consent)

    def set_up(self, missing: NotLoggedIn) -> bool:
        is_set_up = _sets_up(missing)
        self.app = app_here()  # includes what was just set up
        return is_set_up


def _sets_up(missing: NotLoggedIn) -> bool:
    """Ask the person, and guide the setup; return whether the run may be tried again.

    If no provider is named, the question is asked only once ever: later there is `llm-orc setup`.
    """
    if not person_is_here():
        return False
    asked = app_here().paths.state / "setup-offered"
    if missing.provider is None and asked.exists():
        return False
    write_error(missing)
    what = f"Set up `{missing.provider}`" if missing.provider else "Set up access to a model"
    if missing.provider is None:
        with suppress(StorageError):
            write_private(asked, b"")
    if not confirmed(f"{what} now, and continue?", default=True):
        return False
    from llm_orc.cli.setup.wizard import set_up_provider

    return set_up_provider(missing.provider)
