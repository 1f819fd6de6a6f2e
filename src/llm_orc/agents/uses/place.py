"""What an agent's place refers to, whatever its work: the list that it runs over, and the names of an item."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.ensemble.given import are_tainted, texts_in
from llm_orc.agents.references.names import INDEX, UnknownName
from llm_orc.agents.references.syntax import BadReference, parse_template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.agents.references.names import Names, Target
    from llm_orc.agents.references.text import Text
    from llm_orc.agents.spec import AgentSpec

LIST_KEY = "fan_out.over"


def list_texts(spec: AgentSpec) -> tuple[Text, ...]:
    """Return the texts that say which items the agent runs over."""
    over = None if spec.fan_out is None else spec.fan_out.over
    if over is None:
        return ()
    return tuple(texts_in(LIST_KEY, over if isinstance(over, str) else [*over]))


def names_at(spec: AgentSpec, names: Names) -> Names:
    """Return the names that the agent's work knows: with those of the item, if it runs over some."""
    if spec.fan_out is None:
        return names
    own = frozenset({spec.fan_out.name, INDEX})
    is_tainted = spec.fan_out.over is None or are_tainted(list_texts(spec), names)
    tainted = {spec.fan_out.name} if is_tainted else frozenset()
    files = frozenset({spec.fan_out.name}) if _are_files(spec, names) else frozenset[str]()
    return replace(
        names,
        local=names.local | own,
        from_answers=(names.from_answers - own) | tainted,
        files=(names.files - own) | files,
    )


def _are_files(spec: AgentSpec, names: Names) -> bool:
    """Return whether every item is a file that the run was given."""
    texts = list_texts(spec)
    over = None if spec.fan_out is None else spec.fan_out.over
    if isinstance(over, tuple) and len(texts) < len(over):
        return False
    sources = [*list_sources(spec, names)]
    return bool(sources) and len(sources) == len(texts) and all(names.is_file(one) for one in sources)


def list_sources(spec: AgentSpec, names: Names) -> tuple[Target, ...]:
    """Return what the items come from. Whatever is wrong is left out. `names` are those around the item."""
    return tuple(_sources(spec, names))


def _sources(spec: AgentSpec, names: Names) -> Iterator[Target]:
    for text in list_texts(spec):
        try:
            references = parse_template(text.text).references
        except BadReference:
            continue
        for reference in references:
            try:
                yield names.resolve(reference)
            except UnknownName:
                continue


def agents_of_list(spec: AgentSpec, names: Names) -> frozenset[str]:
    """Return the agents whose answers the items come from."""
    if spec.fan_out is not None and spec.fan_out.over is None:
        return frozenset(spec.depends_on[:1])
    return frozenset(target.name for target in list_sources(spec, names) if target.root == "agent")


def most_items(spec: AgentSpec) -> int:
    """Return how many items the agent runs over at most."""
    if spec.fan_out is None:
        return 1
    return len(spec.fan_out.over) if isinstance(spec.fan_out.over, tuple) else spec.fan_out.max


def most_runs(spec: AgentSpec) -> int:
    """Return how often the agent is asked at most: each item as often as there are samples."""
    return most_items(spec) * (1 if spec.samples is None else spec.samples.max)


def why_no_list(text: Text, target: Target, names: Names) -> str:
    """Return why what the whole list is said to be can never be one; empty: it may be."""
    if text.key != LIST_KEY:
        return ""
    if names.is_file(target):
        is_one = bool(target.path) or (target.root == "inputs" and names.inputs[target.name].type == "file")
        return "is one file, and `over` needs a list (`files`)" if is_one and not target.up else ""
    if target.root in {"task", "run"}:
        return "is text, and `over` needs a list"
    spec = names.inputs.get(target.name) if target.root == "inputs" and not target.path else None
    if spec is not None and spec.type not in {"array", "files"}:
        return f"is an input of the type `{spec.type}`, and `over` needs a list (`array`)"
    return ""
