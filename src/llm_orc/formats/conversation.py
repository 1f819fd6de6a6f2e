"""A conversation as text for a terminal, as Markdown, and as JSON. Prints nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.formats.figures import charge, count, dollars, moment, tokens
from llm_orc.formats.json_values import access_value, document, file_value, usage_value
from llm_orc.formats.printable import one_line
from llm_orc.formats.quoting import one_markdown_line, quoted_markdown, quoted_text
from llm_orc.providers.base import NO_USAGE
from llm_orc.providers.dialects.endings import end_note

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.conversations.conversation import Turn
    from llm_orc.jsontypes import JsonValue

CONVERSATION_SCHEMA_VERSION = 1
_STATES = {
    "open": "being answered",
    "cut": "cut off before its end",
    "failed": "failed; not part of the history",
    "aside": "stored separately; not part of the history",
}


def as_text(name: str, turns: Sequence[Turn], earlier: int) -> str:
    """Return the turns for reading in a terminal; `earlier` is the number of turns before them."""
    return "\n".join(_text_lines(name, turns, earlier)) + "\n"


def as_markdown(name: str, turns: Sequence[Turn]) -> str:
    """Return a document: a heading for each turn, its text as a quotation."""
    return "\n".join(_markdown_lines(name, turns)) + "\n"


def as_json(values: dict[str, JsonValue], turns: Sequence[Turn]) -> str:
    """Return one JSON document: the conversation's data, and its turns in order."""
    return document(
        {"schema_version": CONVERSATION_SCHEMA_VERSION, **values, "turns": [turn_value(turn) for turn in turns]}
    )


def turn_value(turn: Turn) -> JsonValue:
    is_answer = turn.role == "assistant"
    return {
        "number": turn.number,
        "agent": turn.agent,
        "role": turn.role,
        "text": turn.text,
        "state": turn.state,
        "at": moment(turn.at),
        "run_id": turn.run_id or None,
        "system_prompt": turn.system_prompt,
        "model": turn.model,
        "access": access_value(turn.access),
        "usage": usage_value(turn.usage) if is_answer else None,
        "cost_usd": turn.cost_usd,
        "stop_reason": turn.stop_reason,
        "stop_word": turn.stop_word or None,
        "files": [file_value(one) for one in turn.files],
    }


def _text_lines(name: str, turns: Sequence[Turn], earlier: int) -> Iterator[str]:
    if earlier:
        yield f"… {count(earlier, 'earlier turn')}: llm-orc conversations show {name} --all"
        yield ""
    for turn in turns:
        yield one_line(f"=== {_who(turn)} · {' · '.join(_figures(turn))}")
        yield from quoted_text(turn.text or "(no answer)")
        yield ""


def _markdown_lines(name: str, turns: Sequence[Turn]) -> Iterator[str]:
    yield from (f"# {name}", "")
    for turn in turns:
        yield from (f"## {_who(turn)}", "", f"*{one_markdown_line(' · '.join(_figures(turn)))}*", "")
        yield from quoted_markdown(turn.text or "(no answer)")
        yield ""


def _who(turn: Turn) -> str:
    return f"to {turn.agent}" if turn.role == "user" else turn.agent


def _figures(turn: Turn) -> list[str]:
    parts = [moment(turn.at)]
    if turn.model:
        parts.append(turn.model)
    if turn.model and turn.usage != NO_USAGE:
        parts.append(f"{tokens(turn.usage.input_tokens)} tokens in, {tokens(turn.usage.output_tokens)} out")
    if turn.access is not None:
        parts.append(charge(turn.access.billing, turn.cost_usd))
    elif turn.cost_usd is not None:
        parts.append(dollars(turn.cost_usd))
    if turn.role == "assistant" and (note := end_note(turn.stop_reason, turn.stop_word)):
        parts.append(note)
    if turn.files:
        parts.append(f"with {', '.join(one.name for one in turn.files)}")
    if turn.state in _STATES:
        parts.append(_STATES[turn.state])
    return parts
