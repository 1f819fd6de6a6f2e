"""What is wrong with the `save_as` of agents, as far as it is known before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.references.names import INDEX
from llm_orc.agents.references.syntax import BadReference, parse_template
from llm_orc.agents.saving.path import same_file_key, why_unusable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.agents.references.names import Names, Target
    from llm_orc.agents.references.syntax import Reference
    from llm_orc.agents.spec import AgentSpec

_BELOW = 'A path below the working directory, such as "out/${inputs.name}.md".'


def path_problems(spec: AgentSpec, path: str, names: Names) -> Iterator[BadReference]:
    """Yield what is wrong with the path of one agent, its references apart. `names` are those around the agent."""
    try:
        template = parse_template(path)
    except BadReference:
        return  # it is found where references are read
    as_filled_in = "".join(piece if isinstance(piece, str) else "x" for piece in template.pieces)
    if why := why_unusable(as_filled_in):
        yield BadReference(f"the path `{path[:80]}` {why}", 0, len(path), _BELOW)
    elif names.last is not None:
        message = "each round of the loop would write the same file"
        yield BadReference(message, 0, len(path), "Give `save_as` to the loop itself.")
    elif spec.fan_out is not None and all(one.words != [INDEX] for one in template.references):
        message = "all items would write the same file"
        yield BadReference(message, 0, len(path), "Put the number of the item into the path: `${index}`.")


def why_not_in_path(reference: Reference, target: Target) -> BadReference | None:
    """Return why what the reference stands for may not be a part of a path."""
    if target.is_tainted:
        message = f"`{reference}` is what a model or a tool has said, and no such answer becomes a part of a path"
    elif target.root == "inputs" or (target.root, target.name) == ("local", INDEX):
        return None
    else:
        message = f"`{reference}` is no input, and only inputs become a part of a path"
    return BadReference(message, reference.start, reference.end, "Refer to inputs only: `${inputs.NAME}`.")


def same_paths(agents: Sequence[AgentSpec]) -> Iterator[tuple[AgentSpec, BadReference]]:
    """Yield the agents that write to the path of another one before them."""
    first: dict[str, str] = {}
    for spec in agents:
        if spec.save_as is None:
            continue
        other = first.setdefault(same_file_key(spec.save_as), spec.name)
        if other != spec.name:
            message = f"agent `{other}` writes the same file"
            yield spec, BadReference(message, 0, len(spec.save_as), "Give each its own path.")
