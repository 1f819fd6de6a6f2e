"""The values of an ensemble's inputs for one row of a batch: from its columns, else those given for all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.inputs.values import complete_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.jsontypes import JsonValue
    from llm_orc.runs.recipe import Recipe


def inputs_of_row(recipe: Recipe, fields: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return a value for every input of the recipe's ensemble. Raises `InputError`.

    An empty field gives no value, except to an input that takes any text.
    """
    given = dict(recipe.inputs)
    texts = {spec.name for spec in recipe.ensemble.inputs if spec.type == "string" and not spec.enum}
    for name, column in recipe.input_columns.items():
        value = fields.get(column)
        if value is not None and (value != "" or name in texts):
            given[name] = value
    return complete_inputs(recipe.ensemble.name, recipe.ensemble.inputs, given, texts=True)
