"""A result as plain text for people: the answers, then usage and cost, then `Status: …` as the last line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.formats.format import ResultFormat
from llm_orc.formats.printable import one_line, printable
from llm_orc.formats.quoting import heading, quoted_text
from llm_orc.formats.sentences import (
    SANDBOX_NOTE,
    agent_figures,
    error_lines,
    named_model_lines,
    no_answer,
    state_note,
    total_figures,
)
from llm_orc.formats.tools.words import listed_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.runs.results import AgentResult, RunResult


def as_text(result: RunResult) -> str:
    return printable("\n".join(_lines(result)) + "\n")


def _lines(result: RunResult) -> Iterator[str]:
    if result.sandbox:
        yield from (SANDBOX_NOTE, "")
    agents = result.without_items
    for agent in agents:
        yield from _section(agent)
    yield from _summary(result, agents)
    if result.error is not None:
        yield from error_lines(result.error)
    yield from named_model_lines(result)
    if result.forked_from is not None:
        yield f"Forked from: {result.forked_from}"
    if result.conversation is not None:
        yield f"Conversation: {result.conversation}"
    yield f"Run: {result.run_id}" + ("" if result.recorded else " (not recorded)")
    yield f"Status: {result.status}"


def _section(agent: AgentResult) -> Iterator[str]:
    yield f"=== {heading(agent.name)}{state_note(agent)}"
    yield ""
    if agent.tools:
        yield from (f"> {words}" for words in listed_words(agent.tools))
        yield ""
    if agent.response is None:
        yield from no_answer(agent)
    else:
        yield from quoted_text(agent.response)
    yield ""


def _summary(result: RunResult, agents: Sequence[AgentResult]) -> Iterator[str]:
    yield "=== Summary"
    yield ""
    names = max((len(agent.name) for agent in agents), default=0)
    for agent in agents:
        figures = one_line(" · ".join(agent_figures(agent)))
        yield f"{agent.name:<{names}}  {agent.status:<9}  {figures}".rstrip()
    yield from ("", f"Total: {' · '.join(total_figures(result))}")


FORMAT = ResultFormat(result=as_text)
