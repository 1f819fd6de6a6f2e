"""The kind of agent that asks a language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.kind import Kind
from llm_orc.agents.model.answer import ask_by_schema, rehearse_by_schema
from llm_orc.agents.model.dialogue import Dialogue
from llm_orc.agents.model.ensemble_tools import (
    called_ensembles,
    from_models,
    named_ensembles,
    with_ensemble_tools,
)
from llm_orc.agents.model.evidence import evidence_problems, read_evidence, texts_of_evidence
from llm_orc.agents.model.fields import MODEL_FIELDS
from llm_orc.agents.references.text import Text
from llm_orc.agents.schema.read import asks_for_data, read_schema, wants_json
from llm_orc.agents.work import DEFAULT_MAX_TURNS, DEFAULT_REPAIRS, ModelRef, ModelWork, Needs
from llm_orc.catalog.table import row_of

if TYPE_CHECKING:
    from llm_orc.agents.conditions.check import Answers
    from llm_orc.agents.context import AgentContext
    from llm_orc.agents.kind import AgentKeys
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.references.names import Names
    from llm_orc.agents.spec import AgentSpec


def names_a_provider(name: str) -> bool:
    """True for the oldest form, in which `model` names a provider and there is no `provider`."""
    return row_of(name) is not None


def _read(keys: AgentKeys) -> ModelWork:
    values = keys.values
    schema = read_schema(keys)
    if values.get("repairs") is not None and values.get("schema") is None and not asks_for_data(keys):
        message = f"agent `{keys.agent}` has `repairs`, and no `schema` that an answer may fail to satisfy"
        keys.say("repairs", message, "Add `schema`, or remove `repairs`.")
    return ModelWork(
        model=_model(keys),
        system_prompt=values.get("system_prompt"),
        temperature=values.get("temperature"),
        max_tokens=values.get("max_tokens"),
        options=values.get("options", {}),
        fallback_model_profile=values.get("fallback_model_profile"),
        output_format="json" if wants_json(keys) else "text",
        auth_method=values.get("auth_method"),
        prompt=values.get("prompt"),
        schema=schema,
        repairs=DEFAULT_REPAIRS if values.get("repairs") is None else values["repairs"],
        evidence=read_evidence(keys, schema),
        tools=_tools(keys),
        max_turns=DEFAULT_MAX_TURNS if values.get("max_turns") is None else values["max_turns"],
    )


def _model(keys: AgentKeys) -> ModelRef:
    profile: str | None = keys.values.get("model_profile")
    provider: str | None = keys.values.get("provider")
    model: str | None = keys.values.get("model")
    if profile is not None:
        for key in ("provider", "model"):
            if keys.values.get(key) is not None:
                keys.say(
                    key,
                    f"agent `{keys.agent}` has both `model_profile` and `{key}`",
                    hint="Keep the profile, or `model` and `provider`.",
                )
        return ModelRef(profile=profile)
    if provider is None and model is None:
        return ModelRef(profile="default")
    if provider is None and model is not None and names_a_provider(model):
        return ModelRef(provider=model)
    return ModelRef(provider=provider, model=model)


def _tools(keys: AgentKeys) -> tuple[str, ...]:
    tools: tuple[str, ...] = keys.values.get("tools") or ()
    if tools and keys.values.get("cache") is not None:
        message = f"agent `{keys.agent}` has both `tools` and `cache`: what tools do is done anew each time"
        keys.say("cache", message, "Remove one of them.")
    if not tools and keys.values.get("max_turns") is not None:
        message = f"agent `{keys.agent}` has `max_turns`, and no `tools`"
        keys.say("max_turns", message, "Add `tools`, or remove it.")
    return tools


def _texts(work: ModelWork) -> tuple[Text, ...]:
    written = {"system_prompt": work.system_prompt, "prompt": work.prompt}
    own = (Text(key, text) for key, text in written.items() if text is not None)
    return (*own, *texts_of_evidence(work.evidence))


def _answers(work: ModelWork) -> Answers:
    return "text" if work.answer_schema is None else "data"


def _needs(work: ModelWork) -> Needs:
    return Needs(models=(work,), tools=work.tools)


def _from_answers(spec: AgentSpec, _names: Names) -> frozenset[str]:
    assert isinstance(spec.work, ModelWork)
    return from_models(spec.work)


def _shape(work: ModelWork) -> dict[str, object]:
    """What is asked, and how: which model it is, is known with its access."""
    return {
        key: getattr(work, key)
        for key in work.__dataclass_fields__
        if key not in {"model", "fallback_model_profile", "auth_method"}
    }


async def _run(context: AgentContext, work: ModelWork) -> AgentOutput:
    if context.turn.is_aside:
        return await context.call_model()
    if not work.tools:
        return await _answer(context, work, Dialogue(context, work))
    from llm_orc.agents.model.tool_dialogue import tool_dialogue  # noqa: PLC0415 - heavy: only with tools

    async with tool_dialogue(context, work) as dialogue:
        return await _answer(context, work, dialogue)


async def _answer(context: AgentContext, work: ModelWork, dialogue: Dialogue) -> AgentOutput:
    schema = work.answer_schema
    if schema is None:
        return await dialogue.ask(context.prompt)
    return await ask_by_schema(context, work, schema, dialogue)


async def _rehearse(context: AgentContext, work: ModelWork) -> AgentOutput:
    schema = work.answer_schema
    if schema is None or context.turn.is_aside:
        return await context.call_model()
    return await rehearse_by_schema(context, schema)


MODEL = Kind(
    "model",
    ModelWork,
    fields=MODEL_FIELDS,
    read=_read,
    needs=_needs,
    run=_run,
    rehearse=_rehearse,
    texts=_texts,
    ensembles=named_ensembles,
    with_ensembles=with_ensemble_tools,
    children=called_ensembles,
    from_answers=_from_answers,
    answers=_answers,
    shape=_shape,
    answer_schema=lambda work: work.schema,
    problems=evidence_problems,
)
