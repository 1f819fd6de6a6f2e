"""Which files each agent may be given: known before anything runs, as only files of the run can be named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from llm_orc.agents.attachments.attached import attachment_texts, sees_task
from llm_orc.agents.files.ref import files_of
from llm_orc.agents.kinds import is_body, kind_of
from llm_orc.agents.path import AgentPath, child_of, path_of
from llm_orc.agents.references.names import Names, UnknownName
from llm_orc.agents.references.syntax import BadReference, is_special, parse_template
from llm_orc.agents.uses.graph import names_of
from llm_orc.agents.uses.place import list_texts, names_at
from llm_orc.dataclass import dataclass
from llm_orc.providers.parts import FileRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llm_orc.agents.references.names import Target
    from llm_orc.agents.references.text import Text
    from llm_orc.agents.spec import AgentGraph, AgentSpec
    from llm_orc.jsontypes import JsonValue

Files = tuple[FileRef, ...]


@dataclass(frozen=True, slots=True)
class _Level:
    """A graph with the files that its task, its inputs and an item of the agent around may be."""

    names: Names
    task: Files = ()
    inputs: Mapping[str, Files] = field(default_factory=dict)
    items: Files = ()
    around: _Level | None = None
    within: AgentPath | None = None

    def path_of(self, agent: str) -> AgentPath:
        return path_of(agent) if self.within is None else child_of(self.within, agent)

    def of_target(self, target: Target) -> Files:
        if target.up:
            return () if self.around is None else self.around.of_target(replace(target, up=target.up - 1))
        match target.root:
            case "task":
                return _chosen(self.task, target)
            case "inputs":
                return _chosen(self.inputs.get(target.name, ()), target)
            case "local":
                return self.items
            case _:
                return ()

    def of_texts(self, texts: Iterable[Text]) -> Files:
        found: dict[FileRef, None] = {}
        for text in texts:
            for target in _targets(text, self.names):
                if self.names.is_file(target):
                    found |= dict.fromkeys(self.of_target(target))
        return tuple(found)


def _chosen(files: Files, target: Target) -> Files:
    """Return the one of a list that is named by its number, else all."""
    if len(target.path) == 1 and target.path[0].isdecimal() and int(target.path[0]) < len(files):
        return (files[int(target.path[0])],)
    return files


def _targets(text: Text, names: Names) -> Iterator[Target]:
    try:
        for reference in parse_template(text.text).references:
            yield names.resolve(reference)
    except (BadReference, UnknownName):
        return  # that is a problem of the ensemble, which is reported elsewhere


def files_by_agent(
    graph: AgentGraph, inputs: Mapping[str, JsonValue], task_files: Files, named: Mapping[str, FileRef]
) -> dict[AgentPath, Files]:
    """Return the files that each agent may get with one of its turns, by path; agents without any are left out."""
    given = {
        spec.name: files_of(inputs.get(spec.name)) or () for spec in graph.inputs if spec.type in {"file", "files"}
    }
    found = _files_in(graph, _Level(names_of(graph), task_files, given), named)
    return {path: files for path, files in found if files}


def _files_in(graph: AgentGraph, level: _Level, named: Mapping[str, FileRef]) -> Iterator[tuple[AgentPath, Files]]:
    for spec in graph.agents:
        names = names_at(spec, level.names)
        items = level.of_texts(list_texts(spec)) if spec.fan_out is not None else level.items
        here = replace(level, names=names, items=items)
        files = _files_for(spec, here, named)
        path = level.path_of(spec.name)
        yield path, files
        kind = kind_of(spec.work)
        for name, child in kind.children(spec.work).items():
            below = child_of(path, name) if kind.names_children else path
            inner = names_of(child, around=here.names)
            around = here if is_body(child) else None
            within = _Level(inner, files, _given_to(spec, child, here), around=around, within=below)
            yield from _files_in(child, within, named)


def _files_for(spec: AgentSpec, level: _Level, named: Mapping[str, FileRef]) -> Files:
    if spec.attachments is None:
        return level.task if sees_task(spec, level.names) else ()
    own = [named[one] for one in spec.attachments if not is_special(one) and one in named]
    return tuple(dict.fromkeys((*own, *level.of_texts(attachment_texts(spec)))))


def _given_to(spec: AgentSpec, child: AgentGraph, level: _Level) -> dict[str, Files]:
    texts = kind_of(spec.work).texts(spec.work)
    given: dict[str, Files] = {}
    for one in child.inputs:
        if one.type in {"file", "files"}:
            keys = (f"inputs.{one.name}", f"loop.inputs.{one.name}", f"loop.carry.{one.name}")
            of_input = [text for text in texts if any(text.key == k or text.key.startswith(f"{k}.") for k in keys)]
            given[one.name] = level.of_texts(of_input)
    return given
