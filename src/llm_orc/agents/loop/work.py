"""The work of an agent that runs other agents in rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from llm_orc.agents.spec import NestedEnsemble
from llm_orc.agents.work import Work
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue

Keep = Literal["last", "best"]
OnExhausted = Literal["succeed", "fail"]


@dataclass(frozen=True, slots=True)
class LoopWork(Work):
    """Run `body` in rounds, until the condition `until` holds, or `max_rounds` times; None: always so often.

    The body is an ensemble: its name, which is looked up before anything runs, or agents that are written in the
    loop (`is_body`). `inputs` and `task` are what it is given, and `carry` and `carry_task` what it is given
    instead from the second round on: they refer to the answers of the round before.

    The answer is that of the last round with one; `keep` `best`: that of the round in which `by`, a reference, is
    the highest number. `on_exhausted` says whether it is a failure that `until` never held.
    """

    body: str | NestedEnsemble
    until: str | None = None
    max_rounds: int = 3
    keep: Keep = "last"
    by: str | None = None
    carry: Mapping[str, JsonValue] = field(default_factory=dict)
    carry_task: str | None = None
    on_exhausted: OnExhausted = "succeed"
    inputs: Mapping[str, JsonValue] = field(default_factory=dict)
    task: str | None = None
    is_earlier: bool = False  # of an earlier release: all rounds but the last may fail, and carry nothing
    kind: str = field(default="loop", init=False, repr=False)
