"""The input of each agent: the task and the answers it depends on. Pure, so a record can reproduce it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.inputs.values import as_text
from llm_orc.agents.kinds import kind_of
from llm_orc.agents.references.parts import about_tags, part_tag
from llm_orc.agents.references.render import fill_in, fill_in_plainly, fill_in_source
from llm_orc.agents.references.syntax import is_special
from llm_orc.agents.uses.graph import texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.references.text import Reader
    from llm_orc.agents.spec import AgentSpec

STANDS_IN = "None of the agents that it needs has answered: this answer only stands in for theirs."


_FILL_IN: Mapping[Reader, Callable[[str, Scope], str]] = {
    "model": fill_in,
    "program": fill_in_plainly,
    "evidence": fill_in_source,
}


def filled_in(agent: AgentSpec, scope: Scope) -> dict[str, str]:
    """Return the texts of the agent's work that have references, filled in. Raises `ReferenceWithoutValue`."""
    return {
        text.key: _FILL_IN[text.reader](text.text, scope)
        for text in texts_of(agent)
        if text.reader in _FILL_IN and is_special(text.text)
    }


def asked(agent: AgentSpec, scope: Scope) -> tuple[str, str]:
    """Return the role and the prompt, as far as the agent itself says them. Raises `ReferenceWithoutValue`."""
    texts = filled_in(agent, scope)
    own = next((text.text for text in texts_of(agent) if text.key == "system_prompt"), "")
    return texts.get("system_prompt", own), prompt_for(agent, texts, scope)


def prompt_for(agent: AgentSpec, texts: Mapping[str, str], scope: Scope) -> str:
    """Return the prompt of `agent`: its own if it has one (`texts` has those with references filled in).

    With `input_key` it is that field, exactly. Otherwise, an agent that sees no dependencies receives the task
    unchanged. For others the parts are enclosed in tags that no part can forge: an answer can't end its own block
    and pass for another agent's.
    """
    if (make := kind_of(agent.work).prompt) is not None:
        return make(agent, agent.work, scope, texts)
    if agent.input_key is not None:
        return as_text(scope.picked(agent))
    own = next((text for text in texts_of(agent) if text.key == "prompt"), None)
    if own is not None:
        return texts.get("prompt", own.text)
    item = scope.item
    seen = () if agent.sees == "task" else tuple(n for n in agent.depends_on if not item or n not in item.sources)
    if not seen and item is None:
        return scope.task
    task = "" if agent.sees == "dependencies" else scope.task
    answers = {name: scope.outputs[name].text for name in seen if name in scope.outputs}
    tag = part_tag([agent.name, *seen, task, *answers.values(), *([item.list_digest] if item else [])])
    blocks = [about_tags(tag)]
    if task:
        blocks.append(f"<{tag} of='task'>\n{task}\n</{tag}>")
    for name in seen:
        if name in answers:
            blocks.append(f"<{tag} of='answer' agent='{name}'>\n{answers[name]}\n</{tag}>")
            if note := scope.notes.get(name):
                blocks.append(f"<{tag} of='note' agent='{name}'>{note}</{tag}>")
        else:
            blocks.append(f"<{tag} of='missing' agent='{name}'>This agent {scope.why_absent(name)}.</{tag}>")
    if item is not None:  # last: what is before it is the same for all items
        blocks.append(f"<{tag} of='item' number='{item.index + 1}'>\n{as_text(item.value)}\n</{tag}>")
    return "\n\n".join(blocks)
