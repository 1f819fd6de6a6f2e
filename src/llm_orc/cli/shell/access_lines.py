"""Say before a run which models will be called, with whose credential, and who pays; and which programs start."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from llm_orc.agents.script.places import file_at
from llm_orc.auth.access import Billing
from llm_orc.formats.figures import count, dollars, most_dollars
from llm_orc.formats.printable import first_words, unmistakable
from llm_orc.formats.sentences import SANDBOX_NOTE
from llm_orc.settings.duration import shown_duration
from llm_orc.storage.shown_path import shown_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llm_orc.agents.spec import CacheUse
    from llm_orc.app.access.models import AccessPlan, Estimate
    from llm_orc.app.projects.programs import AgentProgram
    from llm_orc.app.tools.outlook import ToolOutlook
    from llm_orc.auth.access import Access
    from llm_orc.jsontypes import JsonValue

WHO_PAYS = {
    Billing.SUBSCRIPTION: "subscription: no extra cost",
    Billing.PLAN_CREDITS: "plan-credits: your plan's allowance; beyond it, as your account allows",
    Billing.METERED: "metered: billed per token",
    Billing.LOCAL: "local: free",
}


def access_lines(plan: AccessPlan) -> Iterator[str]:
    """Yield two short lines for each access, those that are only used after a failure last; then the notices.

    Where one agent has one access, it is one line.
    """
    if any(agent.access.method == "sandbox" for agent in plan.agents):
        yield SANDBOX_NOTE
    first = Counter((agent.model, agent.access) for agent in plan.agents)
    is_one = len(plan.agents) == 1 and not plan.agents[0].fallbacks
    for (model, access), agents in first.items():
        if is_one:
            yield unmistakable(f"{access.provider} {model} · {WHO_PAYS[access.billing]} · {access.source}")
        else:
            yield from _way_in(model, access, count(agents, "agent"))
    after = Counter(fallback for agent in plan.agents for fallback in agent.fallbacks)
    for (model, access), agents in after.items():
        yield from _way_in(model, access, f"if the first fails, {count(agents, 'agent')}")
    yield from started_lines(plan.programs)
    for agent, message in plan.people:
        yield f"a person · agent {agent}: {first_words(message)}"
    yield from written_lines(plan.files)
    if (estimate := plan.estimate()) is not None:
        yield _estimated(estimate)
    yield from (unmistakable(notice) for notice in plan.notices)


def _estimated(estimate: Estimate) -> str:
    up_to = "up to " if estimate.is_bound else ""
    return f"estimate: {up_to}{count(estimate.calls, 'metered call')}, {price_words(estimate)}"


def price_words(estimate: Estimate) -> str:
    """`about $0.0042, at most $0.12`; what is not known is said to be unknown."""
    if estimate.likely_usd is None:
        return "price unknown"
    most = "no upper limit known" if estimate.most_usd is None else f"at most {most_dollars(estimate.most_usd)}"
    likely = (
        f"up to about {dollars(estimate.likely_usd)}"
        if estimate.is_bound
        else f"about {dollars(estimate.likely_usd)}"
    )
    return f"{likely}, {most}"


def started_lines(programs: Iterable[AgentProgram]) -> Iterator[str]:
    """Yield two lines for each program that a run would start."""
    for one in programs:
        yield unmistakable(f"{one.program.command} · agent {one.agent}")
        whose = "a program that comes with llm-orc" if one.program.is_packaged else "a program on this machine"
        yield f"  {whose}" + (f" · {unmistakable(one.problem)}" if one.problem else "")


def written_lines(files: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a line for each file that a run would write."""
    for agent, path in files:
        yield unmistakable(f"writes {path} · agent {agent}")


def cached_lines(cached: Iterable[tuple[str, CacheUse]]) -> Iterator[str]:
    """Yield a line for each agent that may be given an answer of before."""
    for agent, use in cached:
        age = "" if use.for_s is None else f", at most {shown_duration(use.for_s)} old"
        yield unmistakable(f"an answer of before, where nothing has changed{age} · agent {agent}")


def cached_value(cached: Iterable[tuple[str, CacheUse]]) -> list[JsonValue]:
    """Return the agents that may be given an answer of before as JSON."""
    return [{"agent": agent, "max_age_s": use.for_s} for agent, use in cached]


def tool_lines(tools: Iterable[ToolOutlook]) -> Iterator[str]:
    """Yield a line for each tool of an agent: what would happen to a call of it, and which setting says so."""
    for one in tools:
        said = one.words if one.problem is None else f"missing: {one.problem.message}"
        yield unmistakable(f"{one.name} · {said} · agent {one.agent}")


def tools_value(tools: Iterable[ToolOutlook]) -> list[JsonValue]:
    """Return the tools of agents as JSON."""
    return [
        {
            "agent": one.agent,
            "tool": one.name,
            "verdict": one.verdict or None,
            "because": one.words or None,
            "problem": None if one.problem is None else one.problem.message,
        }
        for one in tools
    ]


def program_lines(one: AgentProgram) -> Iterator[str]:
    """Yield what an agent runs, with each file that is known to be a part of it."""
    yield f"  runs     {unmistakable(one.program.command)}"
    for file in one.program.digests:
        yield f"  file     {unmistakable(shown_path(file_at(file)))}"
    if one.problem is not None:
        yield f"  but      {unmistakable(one.problem)}"


def programs_value(programs: Iterable[AgentProgram]) -> list[JsonValue]:
    """Return the programs as JSON."""
    return [
        {
            "agent": one.agent,
            "command": one.program.command,
            "files": {str(file_at(file)): digest for file, digest in one.program.digests.items()},
            "problem": one.problem,
        }
        for one in programs
    ]


def _way_in(model: str, access: Access, agents: str) -> Iterator[str]:
    yield unmistakable(f"{access.provider} {model} · {agents}")
    yield "  " + unmistakable(f"{WHO_PAYS[access.billing]} · {access.source}")
