"""Calls an agent of any kind: its kind's row says how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.context import AgentContext
from llm_orc.agents.kinds import kind_of
from llm_orc.agents.repeats.samples import run_samples
from llm_orc.agents.time_limit import within_time_limit

if TYPE_CHECKING:
    from llm_orc.agents.fan_out.spec import FanOut
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.tools.results import SpillResult
    from llm_orc.agents.tools.tool import Tools
    from llm_orc.agents.turn import AgentTurn, AskPerson, CallAgent


async def _over_items(turn: AgentTurn, fan_out: FanOut) -> AgentOutput:
    from llm_orc.agents.repeats.fan_out import run_over_items  # noqa: PLC0415 - heavy: only where there are items

    return await run_over_items(turn, fan_out)


class AgentCaller:
    """Implements `agents.turn.CallAgent`. In a rehearsal it uses `Kind.rehearse`, if the kind has one."""

    def __init__(
        self,
        ask_model: CallAgent,
        *,
        rehearsal: bool,
        ask_person: AskPerson | None = None,
        tools: Tools | None = None,
        spill: SpillResult | None = None,
    ) -> None:
        self._ask_model, self._rehearsal, self._ask_person = ask_model, rehearsal, ask_person
        self._tools, self._spill = tools, spill

    async def __call__(self, turn: AgentTurn) -> AgentOutput:
        if turn.agent.fan_out is not None:
            return await _over_items(turn, turn.agent.fan_out)
        if turn.agent.samples is not None:
            return await run_samples(turn, turn.agent.samples)
        work = turn.agent.work
        kind = kind_of(work)
        run = kind.rehearse if self._rehearsal and kind.rehearse is not None else kind.run
        context = AgentContext(turn, self._ask_model, self._ask_person, self._tools, self._spill)
        limit_s = kind.limit_s if turn.agent.timeout_s is None else turn.agent.timeout_s
        is_program = kind.limit_s is not None
        if limit_s is None or (not is_program and kind.needs(work).models):  # a model's limit is each fallback's
            return await run(context, work)
        hint = "Raise `timeout_seconds` of the agent."
        async with within_time_limit(turn.path, limit_s, hint, may_be_billed=not is_program, limits=turn.limits):
            return await run(context, work)
