"""What every run can be given, however it begins: its limits, and the listener for its events."""

from __future__ import annotations

from collections.abc import Callable

from llm_orc.agents.budgets.budget import Budget
from llm_orc.agents.budgets.ceilings import Ceilings
from llm_orc.app.access.models import AccessPlan
from llm_orc.app.approvals.desk import AskHere
from llm_orc.app.tools.permission import Rule
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import RunEvent


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What bounds a run. None: as the settings say, or as the run that goes on was limited."""

    max_concurrent: int | None = None  # agents at once
    timeout_s: float | None = None
    max_cost_usd: float | None = None  # over metered accesses, with what an earlier attempt at the run has spent
    max_calls: int | None = None  # requests to providers over all accesses, retries included
    budget: Budget | None = None  # one that several runs share, beside the run's own
    wait_for_plan: bool | None = None  # when it is used up; None: as the settings say
    max_total_tokens: int | None = None  # of input and output over all accesses
    tools: tuple[Rule, ...] = ()  # which tools the command allows or denies

    @property
    def ceilings(self) -> Ceilings:
        return Ceilings(self.max_cost_usd, self.max_calls, self.max_total_tokens)


@dataclass(frozen=True, slots=True)
class RunListener:
    """Callbacks for the progress of a run. `stream`: whether pieces of answers are shown as they arrive."""

    show: Callable[[RunEvent], None] = lambda _event: None  # gets each event, durable already
    planned: Callable[[AccessPlan], None] = lambda _plan: None  # called before anything is spent
    waiting: Callable[[str], None] = lambda _sentence: None  # told what is waited for before the run starts
    stream: bool = False
    earlier: Callable[[RunEvent], None] | None = None  # gets those of earlier attempts; None: `show` does
    ask: AskHere | None = None  # asks the person who is here what agents ask; None: nobody is
