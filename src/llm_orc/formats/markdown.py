"""A result as a Markdown report: task, answers under their agents' names, and a table of usage and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.formats.figures import charge, moment, seconds, tokens
from llm_orc.formats.format import ResultFormat
from llm_orc.formats.printable import printable
from llm_orc.formats.quoting import heading, one_markdown_line, quoted_markdown
from llm_orc.formats.sentences import SANDBOX_NOTE, error_lines, no_answer, reason_of, state_note, total_figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llm_orc.runs.results import AgentResult, RunResult


def as_markdown(result: RunResult) -> str:
    return printable("\n".join(_lines(result)) + "\n")


def _lines(result: RunResult) -> Iterator[str]:
    yield from (f"# {result.ensemble}", "")
    if result.sandbox:
        yield from (f"> **{SANDBOX_NOTE}**", "")
    yield from (*quoted_markdown(result.task), "")
    for agent in result.without_items:
        yield from _section(agent)
    yield from ("## Summary", "")
    yield from _table(result)
    yield from ("", f"- Total: {'; '.join(total_figures(result))}")
    if result.conversation is not None:
        yield f"- Conversation: {' '.join(result.conversation.split())}"
    yield f"- Run: `{result.run_id}`, started {moment(result.started_at)}" + _not_recorded(result)
    if result.error is not None:
        yield f"- Stopped: {one_markdown_line(' '.join(error_lines(result.error)))}"
    yield f"- Status: {result.status}" + (" (sandbox)" if result.sandbox else "")


def _not_recorded(result: RunResult) -> str:
    return "" if result.recorded else ", not recorded"


def _section(agent: AgentResult) -> Iterator[str]:
    yield from (f"## {heading(agent.name)}{state_note(agent)}", "")
    if agent.response is None:
        yield from quoted_markdown("\n".join(no_answer(agent)))
    else:
        yield from quoted_markdown(agent.response)
    yield ""


def _table(result: RunResult) -> Iterator[str]:
    yield "| agent | status | model | tokens in | tokens out | time | cost |"
    yield "| --- | --- | --- | ---: | ---: | ---: | --- |"
    for agent in result.without_items:
        billing = agent.access.billing if agent.access and agent.status == "completed" else None
        yield _row(
            agent.name,
            ": ".join(filter(None, (agent.status, reason_of(agent)))),
            agent.model or "",
            tokens(agent.usage.input_tokens),
            tokens(agent.usage.output_tokens),
            "" if agent.duration_s is None else seconds(agent.duration_s),
            charge(billing, agent.cost_usd),
        )


def _row(*cells: str) -> str:
    return f"| {' | '.join(_escaped(cells))} |"


def _escaped(cells: Iterable[str]) -> Iterator[str]:
    for cell in cells:
        yield one_markdown_line(cell).replace("|", "\\|")


FORMAT = ResultFormat(result=as_markdown)
