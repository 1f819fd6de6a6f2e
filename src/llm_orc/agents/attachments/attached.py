"""Which files go with an agent's turn: those that its `attachments` name, else those of a task that it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.files.ref import files_of
from llm_orc.agents.kinds import kind_of
from llm_orc.agents.references.names import UnknownName
from llm_orc.agents.references.syntax import BadReference, is_special, parse_template
from llm_orc.agents.references.text import Text

if TYPE_CHECKING:
    from llm_orc.agents.references.names import Names
    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.providers.parts import FileRef

KEY = "attachments"
_OWN_TEXTS = frozenset({"prompt", "task", "message"})  # what an agent says in place of the task and the answers


def attachment_texts(spec: AgentSpec) -> tuple[Text, ...]:
    """Return the references in the agent's `attachments`."""
    listed = enumerate(spec.attachments or ())
    return tuple(Text(f"{KEY}.{i}", one, takes_answers=False, reader="file") for i, one in listed)


def files_for(spec: AgentSpec, scope: Scope) -> tuple[FileRef, ...]:
    """Return the files of the agent's turn, each once, in order. Raises `ReferenceWithoutValue`."""
    if spec.attachments is None:
        return scope.task_files if scope.task_files and sees_task(spec, scope.names) else ()
    found: dict[FileRef, None] = {}
    for written in spec.attachments:
        if not is_special(written):
            found[scope.files.named(written)] = None
            continue
        (reference,) = parse_template(written).references
        found |= dict.fromkeys(files_of(scope.value_of(reference)) or ())
    return tuple(found)


def sees_task(spec: AgentSpec, names: Names) -> bool:
    """Return whether the task is a part of what the agent is told."""
    if spec.input_key is not None:
        return False
    kind = kind_of(spec.work)
    own = [text for text in kind.texts(spec.work) if text.key in _OWN_TEXTS and not text.within]
    if own:
        return any(_names_task(text.text, names) for text in own)
    return kind.prompt is not None or spec.sees != "dependencies" or not spec.depends_on


def _names_task(text: str, names: Names) -> bool:
    try:
        targets = [names.resolve(reference) for reference in parse_template(text).references]
    except (BadReference, UnknownName):
        return False
    return any(target.root == "task" for target in targets)
