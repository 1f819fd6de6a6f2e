"""What an agent does, of any kind; the work of a language model; and what work needs from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from llm_orc.agents.evidence.spec import Evidence
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue
from llm_orc.settings.model import AuthMethodName


class Work:
    """The base of agents' work. Each kind of agent has its own frozen dataclass, with `kind`, its key."""

    __slots__ = ()

    kind: str


class Graph:
    """The base of `agents.spec.NestedEnsemble`, for work that is known before it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which model an agent asked for: a profile's name, or a provider with or without a model.

    A user may also name a model alone; its provider is then found with its access.

    `is_typed`: the user named it for this very agent, overriding the ensemble's file.
    """

    profile: str | None = None
    provider: str | None = None
    model: str | None = None
    is_typed: bool = False


DEFAULT_REPAIRS = 2
DEFAULT_MAX_TURNS = 20


@dataclass(frozen=True, slots=True)
class ModelWork(Work):
    """Call a language model. `None`: as the profile says, else the provider's default."""

    model: ModelRef = ModelRef(profile="default")
    system_prompt: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    options: dict[str, JsonValue] = field(default_factory=dict)
    fallback_model_profile: str | None = None
    output_format: Literal["text", "json"] = "text"
    auth_method: AuthMethodName | None = None
    prompt: str | None = None  # None: the task, and the answers that the agent depends on
    schema: dict[str, JsonValue] | None = None  # the answer is JSON that satisfies this JSON Schema
    repairs: int = DEFAULT_REPAIRS  # how often an answer that doesn't may be sent back
    evidence: tuple[Evidence, ...] = ()  # which of its fields are quotes, and from where
    tools: tuple[str, ...] = ()  # what it may call before it answers
    max_turns: int = DEFAULT_MAX_TURNS  # how often the model is asked, if it has tools
    ensembles: Mapping[str, Graph] = field(default_factory=dict)  # those among its tools, looked up before a run

    @property
    def answer_schema(self) -> dict[str, JsonValue] | None:
        """What its answer has to satisfy; None: it is text. Any JSON satisfies the empty schema."""
        return {} if self.schema is None and self.output_format == "json" else self.schema

    kind: str = field(default="model", init=False, repr=False)


@dataclass(frozen=True, slots=True)
class Program:
    """A program that work starts. `command` is its line for people, `executable` what is looked up on the path.

    `digests` has the SHA-256 of the files that are known to be run, by their places (`agents/script/places`).
    `setup` is all else that decides what it does: its variables, directory, standard input and parameters, as
    JSON. `is_packaged`: its file is ours.
    """

    command: str
    executable: str
    digests: Mapping[str, str]
    setup: str = ""
    is_packaged: bool = False


@dataclass(frozen=True, slots=True)
class Needs:
    """What work needs from outside: it is resolved, priced and agreed to before anything runs.

    `models` are asked for answers, `programs` are started, `tools` called, `ensembles` run, and `people` asked.
    """

    models: tuple[ModelWork, ...] = ()
    programs: tuple[Program, ...] = ()
    tools: tuple[str, ...] = ()
    ensembles: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
