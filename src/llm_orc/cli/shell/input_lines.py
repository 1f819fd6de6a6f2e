"""The inputs of an ensemble, as lines and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.inputs.values import WORDS, as_text, example_of
from llm_orc.formats.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.jsontypes import JsonValue


def input_lines(ensemble: Ensemble) -> Iterator[str]:
    """Yield a line for each input; those that each run has to be given come first."""
    for spec in sorted(ensemble.inputs, key=lambda spec: not spec.is_required):
        allowed = " or ".join(f"`{as_text(value)}`" for value in spec.enum) or WORDS[spec.type]
        use = (
            f"each run needs it: `--set {spec.name}={example_of(spec)}`"
            if spec.is_required
            else f"default `{as_text(spec.default)}`"
        )
        about = f" ({one_line(spec.description)})" if spec.description else ""
        yield f"input {spec.name}: {one_line(allowed)}; {one_line(use)}{about}"


def inputs_value(ensemble: Ensemble) -> JsonValue:
    return [
        {
            "name": spec.name,
            "type": spec.type,
            "description": spec.description or None,
            "enum": list(spec.enum) or None,
            "required": spec.is_required,
            "default": spec.default,
        }
        for spec in ensemble.inputs
    ]
