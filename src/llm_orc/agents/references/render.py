"""Fill in the references of a text, once: what is put in is never read again.

What the author of the ensemble and its user say (the task, inputs) is put in as it is. What models and tools say
may try to pass for something else, so each such text stands in tags that it can't forge, as in other prompts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.inputs.values import as_text
from llm_orc.agents.references.names import INDEX
from llm_orc.agents.references.parts import about_tags, part_tag
from llm_orc.agents.references.syntax import Reference, parse_template
from llm_orc.dataclass import dataclass
from llm_orc.errors import ReferenceWithoutValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llm_orc.agents.references.names import Target
    from llm_orc.agents.references.scope import Scope


@dataclass(frozen=True, slots=True)
class _Part:
    """A text that stands in tags: an answer, a field of one, a note on it, or that there is none.

    An input or an item that comes from answers is such a text too; `agent` is its name then.
    """

    of: str
    agent: str
    text: str
    field: str = ""

    def within(self, tag: str, *, is_block: bool) -> str:
        about = f" field='{self.field}'" if self.field else ""
        line = "\n" if is_block else ""
        named = "name" if self.of in {"input", "item"} else "agent"
        return f"<{tag} of='{self.of}' {named}='{self.agent}'{about}>{line}{self.text}{line}</{tag}>"


def fill_in(text: str, scope: Scope) -> str:
    """Return the text for a model to read. Raises `ReferenceWithoutValue`."""
    found = [*_pieces(text, scope)]
    pieces = [piece for piece, _ in found]
    if not any(isinstance(piece, _Part) for piece in pieces):
        return "".join(piece for piece in pieces if isinstance(piece, str))
    tag = part_tag([text, *(hashed for _, hashed in found)])
    filled: list[str] = []
    for i, piece in enumerate(pieces):
        if isinstance(piece, str):
            filled.append(piece)
        else:
            around = (pieces[i - 1] if i else "\n", pieces[i + 1] if i + 1 < len(pieces) else "\n")
            filled.append(piece.within(tag, is_block=_is_block(piece, *around)))
    return f"{about_tags(tag)}\n\n{''.join(filled)}"


def fill_in_plainly(text: str, scope: Scope) -> str:
    """Return the text for a program, without tags: text as it is, data as JSON. Raises `ReferenceWithoutValue`."""
    return "".join(
        piece if isinstance(piece, str) else as_text(scope.value_of(piece))
        for piece in parse_template(text).pieces
    )


def fill_in_source(text: str, scope: Scope) -> str:
    """Return the text that quotes are looked up in, without tags; empty if an agent that it is of gave no answer.

    Raises `ReferenceWithoutValue` for a field that an answer doesn't have, but for a canned one.
    """
    try:
        return fill_in_plainly(text, scope)
    except ReferenceWithoutValue as e:
        if e.absent or scope.is_rehearsal:
            return ""
        raise


def _is_block(part: _Part, before: str | _Part, after: str | _Part) -> bool:
    """Whether the part gets lines of its own: it has several, or stands alone on its line."""
    if part.of in {"note", "missing"}:
        return False
    is_alone = (
        isinstance(before, str) and before.endswith("\n") and isinstance(after, str) and after.startswith("\n")
    )
    return is_alone or "\n" in part.text


def _pieces(text: str, scope: Scope) -> Iterator[tuple[str | _Part, str]]:
    """Yield each piece, and what of it the tags depend on.

    For an item that is the whole list, so that all items have the same tags, and what is before them is the same.
    """
    for piece in parse_template(text).pieces:
        if isinstance(piece, str):
            yield piece, piece
            continue
        holder, target = scope.find(piece)
        if target.root == "last":
            continue  # the first round: nobody has said anything
        item = holder.item if target.root == "local" else None
        is_of_item = item is not None and target.name in {item.name, INDEX}
        filled: Iterable[str | _Part]
        if target.is_tainted and target.root != "task":  # the answers in a task have their tags already
            filled = _of_answer(piece, target, holder, name=_shown(piece, target))
        else:
            filled = (as_text(holder.value_at(target, piece)),)
        for one in filled:
            hashed = one.text if isinstance(one, _Part) else one
            yield one, item.list_digest if item is not None and is_of_item else hashed


def _shown(reference: Reference, target: Target) -> str:
    """Return what the model is told that the text is from: of an agent of the round before, `last.NAME`."""
    is_last = target.root == "agent" and reference.name == ".".join(("last", target.name, *target.path))
    return f"last.{target.name}" if is_last else target.name


def _of_answer(reference: Reference, target: Target, scope: Scope, name: str) -> Iterator[str | _Part]:
    if target.root == "agent" and target.name not in scope.outputs:
        yield _Part("missing", name, f"This agent {scope.why_absent(target.name)}.")
        return
    try:
        value = scope.value_at(target, reference)
    except ReferenceWithoutValue:
        if not scope.is_rehearsal:
            raise
        value = f"[canned value of {reference.name}]"
    if value is None or isinstance(value, bool | int | float):
        yield as_text(value)  # says nothing that could pass for something else
        return
    of = {"inputs": "input", "local": "item"}.get(target.root, "answer")
    yield _Part(of, name, as_text(value), ".".join(target.path))
    if target.root == "agent" and not target.path and (note := scope.notes.get(target.name)):
        yield "\n\n"
        yield _Part("note", name, note)
