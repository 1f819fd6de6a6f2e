"""What an ensemble that runs within an agent is given: its task, and the values of its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.inputs.values import WrongInput, complete_inputs, value_of
from llm_orc.agents.references.render import fill_in_plainly
from llm_orc.agents.references.syntax import BadReference, is_special, parse_template
from llm_orc.agents.references.text import Text
from llm_orc.errors import InternalError
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from llm_orc.agents.context import AgentContext
    from llm_orc.agents.kind import Say
    from llm_orc.agents.references.names import Names
    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.spec import AgentSpec, NestedEnsemble
    from llm_orc.jsontypes import JsonValue


def texts_of_given(inputs: Mapping[str, JsonValue], task: str | None) -> tuple[Text, ...]:
    """Return the texts in which references are filled in."""
    own = () if task is None else (Text("task", task),)
    return (*own, *(text for name, value in inputs.items() for text in texts_in(f"inputs.{name}", value)))


def texts_in(key: str, value: JsonValue) -> Iterator[Text]:
    """Yield the texts in a value at `key`."""
    if isinstance(value, str):
        yield Text(key, value, reader="program")
    elif isinstance(value, list | dict):
        for step, inner in enumerate(value) if isinstance(value, list) else value.items():
            yield from texts_in(f"{key}.{step}", inner)


def check_given(
    agent: str, child: NestedEnsemble, inputs: Mapping[str, JsonValue], task: str | None, say: Say
) -> None:
    """Say what is wrong with what the agent gives the ensemble, as far as that is known before a run."""
    specs = {spec.name: spec for spec in child.inputs}
    for name, value in inputs.items():
        if name not in specs:
            listed = f"It has: {', '.join(f'`{one}`' for one in specs)}." if specs else "It declares no `inputs`."
            message = f"agent `{agent}`: ensemble `{child.name}` has no input `{name[:80]}`"
            say(f"inputs.{name}", message, did_you_mean(name, specs) or listed)
        elif not any(is_special(text.text) for text in texts_in("", value)):
            try:
                value_of(specs[name], value)
            except WrongInput as e:
                say(f"inputs.{name}", f"agent `{agent}`: input `{name}` of ensemble `{child.name}` must be {e}")
    missing = [name for name, spec in specs.items() if spec.is_required and name not in inputs]
    if missing:
        names = " and ".join(f"`{name}`" for name in missing)
        message = f"agent `{agent}`: ensemble `{child.name}` needs the input{'s'[: len(missing) - 1]} {names}"
        say("inputs", message, f"Add it to the agent: `inputs: {{{missing[0]}: …}}`.")
    if task is not None and child.task == "none":
        say("task", f"agent `{agent}` gives a task, and ensemble `{child.name}` takes none")


def given_inputs(
    child: NestedEnsemble, inputs: Mapping[str, JsonValue], context: AgentContext
) -> dict[str, JsonValue]:
    """Return a value for every input of the child. Raises `InputError`, `ReferenceWithoutValue`."""
    scope = context.turn.scope
    if scope is None:
        raise InternalError(f"agent `{context.turn.path}` has no values of references")
    texts = {spec.name for spec in child.inputs if spec.type == "string"}
    filled = {name: filled_in(value, scope, as_data=name not in texts) for name, value in inputs.items()}
    return complete_inputs(child.name, child.inputs, filled, texts=True)


def filled_in(value: JsonValue, scope: Scope, *, as_data: bool = False) -> JsonValue:
    """Fill in the references: one that stands alone is its value, one within a text becomes text.

    `as_data`: an answer alone is its data, if it has any.
    """
    if isinstance(value, list):
        return [filled_in(inner, scope, as_data=as_data) for inner in value]
    if isinstance(value, dict):
        return {name: filled_in(inner, scope, as_data=as_data) for name, inner in value.items()}
    if not isinstance(value, str) or not is_special(value):
        return value
    template = parse_template(value)
    if len(template.pieces) == 1 and template.references:
        reference = template.references[0]
        return scope.data_of(reference) if as_data else scope.value_of(reference)
    return fill_in_plainly(value, scope)


def given_by_answers(
    spec: AgentSpec, inputs: Mapping[str, JsonValue], task: str | None, names: Names
) -> frozenset[str]:
    """Return what of the child's task and inputs comes from answers: `task`, `inputs.NAME`."""
    found = {f"inputs.{name}" for name, value in inputs.items() if are_tainted(texts_in("", value), names)}
    if task is None:
        is_task = (bool(spec.depends_on) and spec.sees != "task") or "task" in names.from_answers
        is_task = is_task or (spec.fan_out is not None and spec.fan_out.name in names.from_answers)
    else:
        is_task = are_tainted([Text("task", task)], names)
    return frozenset({*found, "task"} if is_task else found)


def are_tainted(texts: Iterable[Text], names: Names) -> bool:
    """Return whether something in the texts comes from an answer."""
    for text in texts:
        try:
            references = parse_template(text.text).references
            if any(names.resolve(reference).is_tainted for reference in references):
                return True
        except (BadReference, ValueError):  # a problem that is reported elsewhere
            return True
    return False
