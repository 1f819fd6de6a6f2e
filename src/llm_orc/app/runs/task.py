"""The task of a run, made of an instruction and of texts that came with it: a pipe, files."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from llm_orc.agents.references.parts import about_tags, part_tag
from llm_orc.dataclass import dataclass
from llm_orc.formats.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class TaskPart:
    """A text that came with the instruction, or instead of one; `origin` is its file, or `standard input`."""

    origin: str
    text: str


def compose_task(instruction: str | None, parts: Sequence[TaskPart]) -> str:
    """Return the task. A single text is the task as it is; several are parts, in tags that none of them can forge.

    The instruction comes last: models follow it better after a long text than before it.
    """
    if not parts:
        return instruction or ""
    if instruction is None and len(parts) == 1:
        return parts[0].text
    names = [one_line(part.origin) for part in parts]
    tag = part_tag([instruction or "", *names, *(part.text for part in parts)])
    blocks = [about_tags(tag)]
    blocks += (
        f"<{tag} of='input' from='{escape(name)}'>\n{part.text}\n</{tag}>"
        for name, part in zip(names, parts, strict=True)
    )
    if instruction is not None:
        blocks.append(f"<{tag} of='instruction'>\n{instruction}\n</{tag}>")
    return "\n\n".join(blocks)
