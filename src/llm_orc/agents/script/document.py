"""What a script is told on its standard input: one JSON document, which earlier releases' scripts can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_orc.agents.files.ref import as_names, file_of, files_of
from llm_orc.agents.script.environment import LONGEST_VALUE

if TYPE_CHECKING:
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.references.scope import Item, Scope
    from llm_orc.agents.script.work import ScriptWork
    from llm_orc.agents.spec import AgentSpec
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.parts import FileRef


def document_for(spec: AgentSpec, work: ScriptWork, scope: Scope) -> str:
    """Return the document: the task, the inputs, the item, the answers of `depends_on`, and the parameters.

    `input` and `input_data`, `context`, `agent_name` and `response` are what earlier releases call things.
    """
    item = scope.item
    of_item: dict[str, JsonValue] = {}
    if item is not None:
        of_item = {
            "item": _as_item(item, scope),
            "index": item.index,
            "chunk_index": item.index,
            "total_chunks": item.total,
        }
        of_item["base_input"] = scope.task
    given: JsonValue = scope.task if item is None else item.value
    if spec.input_key is not None and item is None:
        given = scope.picked(spec)
    shown = [name for name in spec.depends_on if item is None or name not in item.sources]
    document: dict[str, JsonValue] = {
        "task": scope.task,
        "inputs": {name: as_names(value) for name, value in scope.inputs.items()},
        **_files_in(scope),
        **of_item,
        "dependencies": {name: _answer_of(name, scope) for name in shown},
        "parameters": work.parameters,
        "agent_name": spec.name,
        "input": given,
        "input_data": given,
        "context": {},
    }
    return msgspec.json.encode(document).decode()


def _files_in(scope: Scope) -> dict[str, JsonValue]:
    """Return the files of the inputs by name, and those of the task, each with the path of a copy."""
    found: dict[str, JsonValue] = {
        spec.name: _described(scope.inputs.get(spec.name), scope)
        for spec in scope.names.inputs.values()
        if spec.type in {"file", "files"} and f"inputs.{spec.name}" not in scope.names.from_answers
    }
    files: dict[str, JsonValue] = {"files": found} if found else {}
    if scope.task_files:
        files["task_files"] = [_of_file(one, scope) for one in scope.task_files]
    return files


def _as_item(item: Item, scope: Scope) -> JsonValue:
    """Return the item: a file of the run with the path of its copy."""
    is_given = item.name in scope.names.files and item.name not in scope.names.from_answers
    file = file_of(item.value) if is_given else None
    return item.value if file is None else _of_file(file, scope)


def _described(value: JsonValue, scope: Scope) -> JsonValue:
    if isinstance(value, list):
        return [_of_file(one, scope) for one in files_of(value) or ()]
    return None if (file := file_of(value)) is None else _of_file(file, scope)


def _of_file(file: FileRef, scope: Scope) -> JsonValue:
    path = "" if scope.is_rehearsal else scope.files.copy(file)
    return {"name": file.name, "type": file.media_type, "size": file.size, "path": path}


def _answer_of(name: str, scope: Scope) -> JsonValue:
    output = scope.outputs.get(name)
    if output is None:
        status = "skipped" if name in scope.skipped else "pending" if name in scope.pending else "failed"
        absent: dict[str, JsonValue] = {
            "text": None,
            "data": None,
            "status": status,
            "response": None,
            "outcome": status,
            "has_errors": status == "failed",
        }
        return {**absent, "payload": scope.payloads[name]} if name in scope.payloads else absent
    is_handled = output.stands_in
    return {
        "text": output.text,
        "data": output.data,
        "status": "completed",
        "response": _response(name, output, scope),
        "outcome": "handled_failure" if is_handled else "success",
        "has_errors": is_handled,
    }


def _response(name: str, output: AgentOutput, scope: Scope) -> str:
    """Return the answer as scripts of earlier releases read it: an ensemble or a loop has its result around it."""
    if name not in scope.nested:
        return output.text
    if (rounds := output.rounds) is not None:
        answer = output.data if isinstance(output.data, dict) else {"value": output.text}
        of_loop = {"output": answer, "iterations": rounds.number, "terminated": rounds.ended, "has_errors": False}
        return msgspec.json.encode(of_loop).decode()
    ensemble = output.ensemble or scope.nested[name]
    within = {agent: {"response": text, "status": "success"} for agent, text in output.within.items()}
    result = {"ensemble": ensemble, "status": "success", "deliverable": output.text, "results": within}
    return msgspec.json.encode(result).decode()


def variables_of(document: str) -> dict[str, str]:
    """Return the variables that scripts of earlier releases read. Too long ones are left out."""
    told = msgspec.json.decode(document)
    task = told["input"] if isinstance(told["input"], str) else msgspec.json.encode(told["input"]).decode()
    variables = {
        "INPUT_TEXT": task,
        "INPUT_DATA": document if told["dependencies"] else task,
        "AGENT_PARAMETERS": msgspec.json.encode(told["parameters"]).decode(),
    }
    return {
        name: value
        for name, value in variables.items()
        if "\0" not in value and len(value.encode("utf-8", "replace")) <= LONGEST_VALUE
    }
