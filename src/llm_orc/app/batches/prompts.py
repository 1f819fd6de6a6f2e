"""Columns of the input in agents' system prompts: checked before anything is spent, filled in for each row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.references.syntax import is_special
from llm_orc.agents.uses.graph import texts_of
from llm_orc.agents.uses.prompt_parts import PromptParts, prompt_parts
from llm_orc.app.batches.placeholders import fill_known, placeholders, rename
from llm_orc.batches.row_inputs import inputs_of_row
from llm_orc.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from llm_orc.agents.candidate import Candidate
    from llm_orc.agents.choice import ModelChoice
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.jsontypes import JsonValue
    from llm_orc.runs.recipe import Recipe


def prompts_with_columns(choices: Mapping[str, Sequence[ModelChoice]]) -> dict[str, str]:
    """Return the system prompts that have placeholders, by their names in errors."""
    found: dict[str, str] = {}
    for agent, ways in choices.items():
        for choice in ways:
            if placeholders(choice.system_prompt or ""):
                of_profile = f" (profile `{choice.profile}`)" if choice.profile else ""
                found[f"the system prompt of agent `{agent}`{of_profile}"] = choice.system_prompt or ""
    return found


def refuse_mixed(ensemble: Ensemble) -> None:
    """Raise `InputError` for a system prompt with columns and references: these are filled in elsewhere."""
    for spec in ensemble.agents:
        for text in texts_of(spec):
            columns = placeholders(text.text)
            if text.key == "system_prompt" and is_special(text.text) and columns:
                raise InputError(
                    f"the system prompt of agent `{spec.name}` has both `{{{{{columns[0]}}}}}` and `${{…}}`",
                    hint=f"Declare the input `{columns[0]}`, and write `${{inputs.{columns[0]}}}`.",
                )


def columns_of_older_spelling(ensemble: Ensemble) -> tuple[str, ...]:
    """Return the columns that system prompts name as `{{column}}`."""
    texts = [text.text for spec in ensemble.agents for text in texts_of(spec) if text.key == "system_prompt"]
    return tuple(dict.fromkeys(name for text in texts for name in placeholders(text)))


def with_own_columns(
    choices: Mapping[str, tuple[ModelChoice, ...]], columns: Mapping[str, str]
) -> dict[str, tuple[ModelChoice, ...]]:
    """Replace placeholders by the names of the columns. `columns` maps columns to placeholders."""
    own = {placeholder: column for column, placeholder in columns.items()}
    return {
        agent: tuple(
            choice
            if choice.system_prompt is None
            else replace(choice, system_prompt=rename(choice.system_prompt, own))
            for choice in ways
        )
        for agent, ways in choices.items()
    }


def with_values(choice: ModelChoice, fields: Mapping[str, JsonValue]) -> ModelChoice:
    """Return the choice for one row, with its values in the system prompt."""
    if choice.system_prompt is None:
        return choice
    return replace(choice, system_prompt=fill_known(choice.system_prompt, fields))


def candidates_of_row(
    candidates: Mapping[str, Sequence[Candidate]], fields: Mapping[str, JsonValue]
) -> dict[str, list[Candidate]]:
    return {
        agent: [replace(candidate, choice=with_values(candidate.choice, fields)) for candidate in ways]
        for agent, ways in candidates.items()
    }


def recipe_of_row(recipe: Recipe, task: str, fields: Mapping[str, JsonValue]) -> Recipe:
    """Return the recipe of one row, as for a separate run."""
    choices = {
        agent: tuple(with_values(choice, fields) for choice in ways) for agent, ways in recipe.choices.items()
    }
    return replace(recipe, task=task, choices=choices, inputs=inputs_of_row(recipe, fields), input_columns={})


def longest_additions(recipe: Recipe, rows: Iterable[Mapping[str, JsonValue]]) -> dict[str, int]:
    """Return how many characters a row adds to what each agent is asked, at most: columns and inputs."""
    choices = recipe.choices
    asked = {name: parts for name, parts in prompt_parts(recipe.ensemble).items() if parts.inputs}
    prompts = {
        agent: ways[0].system_prompt
        for agent, ways in choices.items()
        if placeholders(ways[0].system_prompt or "")
    }
    longest = dict.fromkeys([*prompts, *asked], 0)
    if not longest:
        return longest
    for fields in rows:
        of_row = _additions(asked, recipe, fields)
        longest |= {name: max(longest[name], characters) for name, characters in of_row.items()}
        for agent, prompt in prompts.items():
            if prompt is not None:
                longest[agent] = max(longest[agent], len(fill_known(prompt, fields)) - len(prompt))
    return longest


def _additions(
    asked: Mapping[str, PromptParts], recipe: Recipe, fields: Mapping[str, JsonValue]
) -> dict[str, int]:
    try:
        values = inputs_of_row(recipe, fields) if asked else {}
    except InputError:  # the row fails before it calls anything
        return {}
    return {name: parts.input_characters(values) for name, parts in asked.items()}
