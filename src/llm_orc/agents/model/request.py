"""What a model is sent for one turn of an agent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.files.access import with_attachments
from llm_orc.agents.work import ModelWork
from llm_orc.providers.base import Message, ModelRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.agents.candidate import Candidate
    from llm_orc.agents.files.access import FileAccess
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.agents.turn import AgentTurn
    from llm_orc.jsontypes import JsonValue


def request_of(candidate: Candidate, turn: AgentTurn, files: FileAccess) -> ModelRequest:
    choice, talk = candidate.choice, turn.talk
    system_prompt = turn.texts.get("system_prompt", choice.system_prompt)
    return ModelRequest(
        messages=alternating(_messages(candidate, turn, system_prompt, files)),
        system_prompt=system_prompt,
        temperature=choice.temperature,
        max_tokens=choice.max_tokens,
        json_output=choice.json_output and not turn.is_aside,
        schema=None if turn.is_aside else schema_of(turn.agent),
        tools=() if talk is None else talk.offers,
        options=choice.options,
        conversation=turn.conversation,
        shared=0 if turn.history else turn.shared,
    )


def _messages(
    candidate: Candidate, turn: AgentTurn, system_prompt: str | None, files: FileAccess
) -> list[Message]:
    talk = turn.talk
    own = () if turn.is_aside else turn.files
    last = Message("user", turn.prompt, system_prompt, results=() if talk is None else talk.results, files=own)
    history = turn.history
    if talk is not None and (talk.access, talk.model) != (candidate.access, candidate.model.name):
        history = tuple(replace(message, own=None) if message.own else message for message in history)
    return [with_attachments(one, files) for one in (*history, last)]


def schema_of(agent: AgentSpec) -> dict[str, JsonValue] | None:
    """Return the schema that the answer of a language model is asked by."""
    return agent.work.schema if isinstance(agent.work, ModelWork) else None


def alternating(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Join consecutive turns of one side: many servers only accept alternating turns."""
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            message = _joined(joined.pop(), message)  # noqa: PLW2901
        joined.append(message)
    return tuple(joined)


def _joined(one: Message, other: Message) -> Message:
    return replace(
        other,
        content="\n\n".join(filter(None, (one.content, other.content))),
        calls=(*one.calls, *other.calls),
        results=(*one.results, *other.results),
        attachments=(*one.attachments, *other.attachments),
        own=None,
    )
