"""Ensembles as tools of an agent: each call runs one, below the path of the agent with the number of the call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from llm_orc.agents.ensemble.work import EnsembleWork
from llm_orc.agents.inputs.values import complete_inputs
from llm_orc.agents.path import can_be_step, item_of
from llm_orc.agents.spec import AgentSpec, NestedEnsemble
from llm_orc.agents.tools.tool import Tool, ToolResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from llm_orc.agents.context import AgentContext
    from llm_orc.agents.inputs.spec import InputSpec
    from llm_orc.agents.kind import Say
    from llm_orc.agents.tools.tool import ToolUse
    from llm_orc.agents.work import ModelWork
    from llm_orc.jsontypes import JsonValue

_PREFIX = "ensemble."
_TASK = "task"


def named_ensembles(work: ModelWork) -> Mapping[str, str]:
    """Return the ensembles among the tools, by the key that names each in a file."""
    return {
        f"tools.{i}": name.removeprefix(_PREFIX) for i, name in enumerate(work.tools) if name.startswith(_PREFIX)
    }


def with_ensemble_tools(agent: str, work: ModelWork, found: Mapping[str, NestedEnsemble], say: Say) -> ModelWork:
    """Return the work with its ensembles; what can't be called by a model becomes a problem."""
    children: dict[str, NestedEnsemble] = {}
    steps: dict[str, str] = {}
    for key, child in found.items():
        name = work.tools[int(key.rpartition(".")[2])]
        step = PurePath(name.removeprefix(_PREFIX)).stem if "/" in name else name.removeprefix(_PREFIX)
        if not can_be_step(step) or step in steps:
            say(key, f"agent `{agent}`: `{name}` and `{steps.get(step, name)}` would have one path", "Rename one.")
            continue
        if why := _why_not_callable(child):
            say(key, f"agent `{agent}`: ensemble `{child.name}` can't be a tool: {why}")
            continue
        steps[step] = name
        children[name] = _called_as(step, child)
    return replace(work, ensembles=children)


def _why_not_callable(child: NestedEnsemble) -> str:
    if not child.inputs and child.task == "none":
        return "it has neither `inputs` nor a task"
    files = [spec.name for spec in child.inputs if spec.type in {"file", "files"} and spec.is_required]
    return f"its input `{files[0]}` is a file, which no model can give" if files else ""


def _called_as(step: str, child: NestedEnsemble) -> NestedEnsemble:
    """Return what runs for a call: one agent that runs the ensemble, and is given what the model wrote."""
    inputs: dict[str, JsonValue] = {spec.name: f"${{inputs.{spec.name}}}" for spec in _given(child)}
    agent = AgentSpec(step, EnsembleWork(child, inputs))
    return NestedEnsemble(
        step, (agent,), _given(child), step, child.task, child.source, description=child.description
    )


def _given(child: NestedEnsemble) -> tuple[InputSpec, ...]:
    return tuple(spec for spec in child.inputs if spec.type not in {"file", "files"})


def called_ensembles(work: ModelWork) -> Mapping[str, NestedEnsemble]:
    """Return what may run within the agent, by the name of the tool."""
    return {name: child for name, child in work.ensembles.items() if isinstance(child, NestedEnsemble)}


def from_models(work: ModelWork) -> frozenset[str]:
    """Return what of the children's task and inputs comes from answers: all, as the model writes it."""
    inputs = {f"inputs.{spec.name}" for child in called_ensembles(work).values() for spec in child.inputs}
    return frozenset({_TASK, *inputs})


def ensemble_tools(context: AgentContext, work: ModelWork) -> Mapping[str, Tool]:
    """Return the ensembles as tools, by name.

    They are durable by the paths of their agents, so a call that was interrupted goes on when it is repeated.
    """
    return {name: _tool(context, name, child) for name, child in called_ensembles(work).items()}


def _tool(context: AgentContext, name: str, child: NestedEnsemble) -> Tool:
    async def call(use: ToolUse, arguments: dict[str, JsonValue]) -> ToolResult:
        takes_task = _takes_task(child) != "no"
        task = str(arguments.get(_TASK) or "") if takes_task else ""
        given = {key: value for key, value in arguments.items() if key != _TASK or not takes_task}
        values = complete_inputs(child.name, child.inputs, given)
        result = await context.run_child(name, task, item_of(use.agent, use.number), values)
        if result.answer is not None and not result.has_failed:
            return ToolResult(result.answer.text, data=result.answer.data)
        failures = "; ".join(result.failures.values())
        return ToolResult(failures or "The ensemble has no answer.", is_error=True)

    described = child.description or f"Runs the ensemble `{child.name}` and returns its answer."
    return Tool(name, described, _parameters(child), call, acts=False, is_idempotent=True)


def _takes_task(child: NestedEnsemble) -> Literal["no", "optional", "required"]:
    if child.task == "none" or any(spec.name == _TASK for spec in child.inputs):
        return "no"
    return "required" if child.task == "required" or not child.inputs else "optional"


def _parameters(child: NestedEnsemble) -> dict[str, JsonValue]:
    properties: dict[str, JsonValue] = {spec.name: _schema_of(spec) for spec in child.inputs}
    required: list[JsonValue] = [spec.name for spec in child.inputs if spec.is_required]
    if (takes := _takes_task(child)) != "no":
        properties[_TASK] = {"type": "string", "description": "What it is asked to do."}
        if takes == "required":
            required.append(_TASK)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _schema_of(spec: InputSpec) -> dict[str, JsonValue]:
    schema: dict[str, JsonValue] = {"type": spec.type}
    if spec.description:
        schema["description"] = spec.description
    if spec.enum:
        schema["enum"] = list(spec.enum)
    if not spec.is_required and spec.default is not None:
        schema["default"] = spec.default
    return schema
