"""The input of each agent: the task and the answers it depends on. Pure, so a record can reproduce it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.engine.parts import about_tags, part_tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.spec import AgentSpec


def prompt_for(
    agent: AgentSpec,
    task: str,
    answers: Mapping[str, str],
    notes: Mapping[str, str] | None = None,
) -> str:
    """Return the prompt of `agent`.

    `answers` has the text of each completed agent, `notes` the notes on answers that are or may be truncated.

    An agent without dependencies receives the task unchanged. Otherwise the parts are enclosed in tags that no
    part can forge: an answer can't end its own block and pass for another agent's.
    """
    if not agent.depends_on:
        return task
    given = [answers[name] for name in agent.depends_on if name in answers]
    tag = part_tag([agent.name, *agent.depends_on, task, *given])
    blocks = [
        about_tags(tag),
        f"<{tag} of='task'>\n{task}\n</{tag}>",
    ]
    for name in agent.depends_on:
        if name in answers:
            blocks.append(f"<{tag} of='answer' agent='{name}'>\n{answers[name]}\n</{tag}>")
            if notes and (note := notes.get(name)):
                blocks.append(f"<{tag} of='note' agent='{name}'>{note}</{tag}>")
        else:
            blocks.append(f"<{tag} of='missing' agent='{name}'>This agent gave no answer.</{tag}>")
    return "\n\n".join(blocks)
