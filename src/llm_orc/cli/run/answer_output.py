"""Write the one answer that a run was asked for, and say on standard error what there is besides."""

from __future__ import annotations

import json
import re
import sys
from shlex import quote
from typing import TYPE_CHECKING

from llm_orc.agents.path import above, is_top
from llm_orc.cli.shell.output.region import terminal_size
from llm_orc.cli.shell.output.streams import Styled, has_colour, is_terminal, moves_cursor, note
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.formats.figures import end_of_id
from llm_orc.formats.printable import one_line, printable
from llm_orc.formats.sentences import reason_of, total_figures
from llm_orc.providers.dialects.endings import end_note
from llm_orc.runs.results import WAITS
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llm_orc.cli.shell.output.destination import AnswerOnly
    from llm_orc.jsontypes import JsonValue
    from llm_orc.runs.results import AgentResult, AgentStatus, RunResult

_NAMED = 5  # agents that one line names


def check_agent(name: str | None, agents: Iterable[str]) -> None:
    """Refuse a name that no agent has."""
    every = [*agents]
    known = [agent for agent in every if is_top(agent)]
    if name is not None and name not in every:
        raise UsageMistake(
            f"there is no agent `{name}`",
            hint=did_you_mean(name, known) or f"The agents are: {', '.join(f'`{agent}`' for agent in known)}.",
        )


def answer_of(result: RunResult, wanted: AnswerOnly) -> AgentResult:
    """Return the agent that was asked for. Raises `UsageMistake` if there is none of that name."""
    check_agent(wanted.agent, (agent.name for agent in result.agents))
    return result[wanted.agent or result.answered_by]


def answer_text(agent: AgentResult) -> str:
    """Return the answer as it is written to a file or a pipe: as the model wrote it, with its last line ended."""
    text = printable(agent.response or "")
    return text if text.endswith("\n") or not text else f"{text}\n"


def shown_answer(agent: AgentResult, *, raw: bool) -> str:
    """Return the answer as standard output shows it: rendered or indented in a terminal, unless it is `raw`."""
    if raw or not moves_cursor(sys.stdout):
        return answer_text(agent)
    if (data := indented(agent.response or "", agent.data)) is not None:
        return data
    from llm_orc.cli.shell.markdown.render import Sheet, rendered

    sheet = Sheet(terminal_size(sys.stdout)[0], has_colour(sys.stdout))
    return rendered(agent.response or "", sheet)


_SCALAR = r"(?:-?\d[\d.eE+-]*|true|false|null)"
_DATA = re.compile(rf'\s*(?:\{{|\[\s*(?:[{{"\]]|\[\s*[\[{{"\d-]|{_SCALAR}\s*[,\n]))')
_WORDS = r"t(?:r(?:ue?)?)?|f(?:a(?:l(?:se?)?)?)?|n(?:u(?:ll?)?)?"
_UNDECIDED = re.compile(rf"\s*(?:\[\s*(?:\[\s*|(?:-?[\d.eE+-]*|{_WORDS})[ \t]*)?)?")


def is_data(beginning: str) -> bool | None:
    """Return whether an answer that begins so is JSON, and not Markdown; None: it may be both."""
    if _DATA.match(beginning):
        return True
    return None if _UNDECIDED.fullmatch(beginning) else False


def indented(text: str, data: JsonValue) -> str | None:
    """Return an answer that is JSON as people read it; None: it isn't."""
    if data is None or not text.lstrip().startswith(("{", "[")):
        return None
    return f"{printable(json.dumps(data, indent=2, ensure_ascii=False))}\n"


def code_of(agent: AgentResult) -> int:
    """Return the exit code for an answer: an agent that its condition left out has none, and has not failed."""
    if agent.status == "waiting":
        return WAITS
    return 0 if agent.response is not None or agent.reason == "condition" else 1


def note_missing(agent: AgentResult, result: RunResult) -> None:
    """Say why there is no answer, and where those of other agents are: none of them takes its place."""
    if agent.status == "waiting":  # which is said by itself
        note_others(agent, result)
        return
    skipped = "it was skipped: " if agent.status == "skipped" else ""
    why = one_line(skipped + (reason_of(agent) or "the run ended before its turn"))
    if agent.reason == "condition":  # which is no failure
        note(f"There is no answer from `{agent.name}`: {why}")
        note_others(agent, result)
        return
    note(Styled("error", "red"), f": there is no answer from `{agent.name}`: {why}")
    if agent.error is not None and agent.error.hint:
        note(Styled("hint", "cyan"), f": {one_line(agent.error.hint)}")
    note_others(agent, result)


def note_others(agent: AgentResult, result: RunResult) -> None:
    """Say which agents have answered, and how to see it; without a record it is shown now, or it is lost."""
    others = _others(agent, result)
    if not others:
        return
    if result.recorded:
        note(f"Other answers: {_show_command(result, others[0])}{_and_of(others[1:])}")
        return
    note("Nothing is recorded of this run, so the other answers are here:")
    for other in others:
        note(f"\n=== {other.name}\n\n{other.response}")


def note_summary(agent: AgentResult, result: RunResult) -> None:
    """Say what the run took, who pays, and where the rest of it is."""
    if agent.response is not None and is_terminal(sys.stdout):
        note("")
    how = f"{_ended(result)} · " if result.status != "completed" else ""
    figures = how + " · ".join(total_figures(result))
    others = _others(agent, result)
    origin = result.forked_from is None and result.conversation is None
    if not others and result.recorded and origin:
        figures += f" · run {result.run_id}"
    note(Styled(one_line(figures), "dim"))
    if cut := end_note(agent.stop_reason, agent.stop_word):
        note(f"The answer of `{agent.name}`: {cut}.")
    if not others and result.recorded and origin:
        return
    if others and result.recorded and agent.response is not None:
        where = f"Other answers: {_show_command(result, others[0])}{_and_of(others[1:])}"
    else:
        where = f"Run: {result.run_id}" + ("" if result.recorded else " (not recorded)")
    if result.forked_from is not None:
        where += f" · forked from {result.forked_from}"
    if result.conversation is not None:
        where += f" · conversation {result.conversation}"
    note(Styled(one_line(where), "dim"))


def _others(agent: AgentResult, result: RunResult) -> list[AgentResult]:
    return [other for other in result.without_items if other.response is not None and other.name != agent.name]


def _ended(result: RunResult) -> str:
    counted = ((status, _number(result, status)) for status in ("failed", "skipped", "waiting"))
    parts = [f"{number:,} {status}" for status, number in counted if number]
    return ", ".join(parts) or result.status


def _number(result: RunResult, status: AgentStatus) -> int:
    """Return how many agents have ended so, without those that only what runs within them has brought to it."""
    found = {agent.name for agent in result.agents if agent.status == status}
    return len(found - {around for name in found for around in above(name)})


def _show_command(result: RunResult, agent: AgentResult) -> str:
    return f"llm-orc runs show {end_of_id(result.run_id)} --agent {quote(agent.name)}"


def _and_of(others: list[AgentResult]) -> str:
    names = [one_line(other.name) for other in others if is_top(other.name)]
    if len(names) > _NAMED:
        names = [*names[:_NAMED], "…"]
    return f" (or {', '.join(names)})" if names else ""
