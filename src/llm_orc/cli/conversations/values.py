"""What the `conversations` commands write with `--json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.formats.figures import moment

if TYPE_CHECKING:
    from llm_orc.app.conversations.archive import ConversationRecord, ConversationSummary
    from llm_orc.jsontypes import JsonValue


def conversation_document(record: ConversationRecord) -> str:
    from llm_orc.formats.conversation import as_json

    return as_json({**summary_value(record.summary), "earlier_turns": record.earlier}, record.turns)


def summary_value(one: ConversationSummary) -> dict[str, JsonValue]:
    return {
        "name": one.name,
        "ensemble": one.ensemble,
        "agents": list(one.agents),
        "turn_count": one.turns,
        "created_at": moment(one.created_at),
        "changed_at": moment(one.changed_at),
        "input_tokens": one.input_tokens,
        "output_tokens": one.output_tokens,
        "cost_usd": one.cost_usd,
        "forked_from": one.forked_from,
    }
