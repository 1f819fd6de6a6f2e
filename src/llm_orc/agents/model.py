"""The kind of agent that asks a language model."""

from __future__ import annotations

from llm_orc.agents.kind import Kind
from llm_orc.agents.work import ModelWork, Needs


def _needs(work: ModelWork) -> Needs:
    return Needs(models=(work,))


MODEL = Kind("model", ModelWork, needs=_needs)
