"""Continue a batch that the store has: the rest of it, or the rows that failed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

from llm_orc.cli.batch.execution.carry_out import carry_out
from llm_orc.cli.batch.execution.results import Showing, refuse_to_replace_inputs
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.files import output_place

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.app.access.consent import Consent
    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.batches.carry_out import BatchListener, BatchOutcome
    from llm_orc.app.batches.plan import PlannedResume
    from llm_orc.cli.shell.stoppable import Stopping


class ResumeOptions(TypedDict):
    """The options for a stored batch."""

    batch: str
    max_cost_usd: float | None
    max_calls: int | None
    max_total_tokens: int | None
    rows_at_once: int | None
    allow_metered: bool
    wait_for_plan: bool | None
    ordered: bool
    form: str
    output_file: str | None
    quiet: bool
    store: str | None


def resume_batch(asked: ResumeOptions, *, failed: bool) -> int:
    from llm_orc.app.access.consent import Consent
    from llm_orc.app.batches.carry_out import resume_batch
    from llm_orc.app.batches.plan import plan_resume
    from llm_orc.app.batches.request import RequestedLimits, ResumeRequest

    app = app_here()
    wanted = ResumeRequest(
        asked["batch"],
        asked["store"],
        RequestedLimits(
            asked["max_cost_usd"],
            asked["max_calls"],
            asked["rows_at_once"],
            asked["wait_for_plan"],
            asked["max_total_tokens"],
        ),
        Consent(asked["allow_metered"]),
        failed=failed,
    )
    showing = Showing(
        asked["form"], output_place(asked["output_file"]), ordered=asked["ordered"], quiet=asked["quiet"]
    )
    refuse_to_replace_inputs(app, wanted.batch, wanted.store, showing.file)

    async def plan(consent: Consent, planned: Callable[[AccessPlan, int], None]) -> PlannedResume:
        return await plan_resume(app, replace(wanted, consent=consent), planned)

    async def work(ready: PlannedResume, watch: BatchListener, stopping: Stopping) -> BatchOutcome:
        return await resume_batch(app, ready, wanted, watch, stopping.event)

    return carry_out(app, plan, work, showing, wanted.store, consent=wanted.consent)
