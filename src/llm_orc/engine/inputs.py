"""What each agent is given: the task and the answers it depends on. Pure: a record can show it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.base import AgentSpec


def prompt_for(
    agent: AgentSpec, task: str, answers: Mapping[str, str], notes: Mapping[str, str] | None = None
) -> str:
    """Return the prompt of `agent`; `answers` holds the text of each agent that has completed, and `notes` what is
    to be said of an answer that is cut, or may be.

    An agent without dependencies gets the task as it is. Otherwise the parts stand between tags, and the tag's
    name is one that no part contains: an answer can't end its own block and pose as another agent's.
    """
    if not agent.depends_on:
        return task
    given = [answers[name] for name in agent.depends_on if name in answers]
    tag = _free_tag([task, *given])
    blocks = [f"<{tag} of='task'>\n{task}\n</{tag}>"]
    for name in agent.depends_on:
        if name in answers:
            blocks.append(f"<{tag} of='answer' agent='{name}'>\n{answers[name]}\n</{tag}>")
            if notes and (note := notes.get(name)):
                blocks.append(f"<{tag} of='note' agent='{name}'>{note}</{tag}>")
        else:
            blocks.append(f"<{tag} of='missing' agent='{name}'>This agent gave no answer.</{tag}>")
    return "\n\n".join(blocks)


def _free_tag(texts: list[str]) -> str:
    tag, number = "part", 1
    while any(f"{tag} of=" in text or f"</{tag}>" in text for text in texts):
        number += 1
        tag = f"part-{number}"
    return tag
