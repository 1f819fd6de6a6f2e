"""Which columns of a batch's inputs are the inputs that its ensemble declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.app.batches.input_lines import Input
    from llm_orc.app.batches.request import BatchOptions
    from llm_orc.ensembles.ensemble import Ensemble


def input_columns(ensemble: Ensemble, inputs: Sequence[Input], options: BatchOptions) -> dict[str, str]:
    """Return the column of each input that rows have a value for: the one with its name, or mapped to it.

    Raises `InputError` for an input that is required and has neither a column nor a value for all rows.
    """
    renamed = options.shaping.columns
    columns = {renamed.get(name, name): name for one in inputs for name in one.fields}
    missing = [
        spec.name
        for spec in ensemble.inputs
        if spec.is_required and spec.name not in columns and spec.name not in options.values
    ]
    if missing and columns:
        names = " and ".join(f"`{name}`" for name in missing)
        raise InputError(
            f"ensemble `{ensemble.name}` needs the input{'s'[: len(missing) - 1]} {names}, and the batch has no"
            " such column",
            hint=f"Map one to it, `--map COLUMN={missing[0]}`, or give all rows the same:"
            f" `--set {missing[0]}=VALUE`.",
        )
    return {
        spec.name: columns[spec.name]
        for spec in ensemble.inputs
        if spec.name in columns and spec.name not in options.values
    }
