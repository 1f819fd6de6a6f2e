"""A kind of agent, as a row of the table of kinds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llm_orc.agents.conditions.check import AnswerFields, Answers
from llm_orc.agents.context import AgentContext
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.references.names import Names
from llm_orc.agents.references.text import Text
from llm_orc.agents.spec import AgentGraph, AgentSpec, NestedEnsemble, SpecProblem
from llm_orc.agents.work import Needs, Work
from llm_orc.dataclass import dataclass
from llm_orc.schemas.walk import Schema
from llm_orc.settings.field import Fields

if TYPE_CHECKING:
    from llm_orc.agents.references.scope import Scope
    from llm_orc.jsontypes import JsonValue


class Say(Protocol):
    """Says something about a key of an agent, at its place in the file; `within` is the place in its value."""

    def __call__(
        self, key: str, message: str, hint: str | None = None, *, within: tuple[str | int, ...] = ()
    ) -> None: ...


class ReadMapping(Protocol):
    """Reads the mapping at a key of an agent by its rows; what is wrong becomes problems at their places."""

    def __call__(self, key: str, mapping: Mapping[str, JsonValue], rows: Fields, what: str) -> dict[str, Any]: ...


class ReadAgents(Protocol):
    """Reads the list of agents at a key of an agent; what is wrong becomes problems at their places."""

    def __call__(self, key: str, agents: Sequence[JsonValue]) -> tuple[AgentSpec, ...]: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where an ensemble's file is: the folders in which files that it names are looked for, in order.

    `root` is the directory of its project, if it is a project's.
    """

    folders: tuple[Path, ...] = ()
    root: Path | None = None


@dataclass(frozen=True, slots=True)
class AgentKeys:
    """The keys of one agent in a file, each read as its row says.

    `say` makes a problem of what is still wrong, `warn` a remark that stops nothing; their keys may be a path with
    dots. `read_mapping` reads a mapping of its own below a key, `read_agents` a list of agents.
    """

    agent: str
    values: Mapping[str, Any]
    say: Say
    warn: Say = lambda _key, _message, _hint=None, *, within=(): None
    around: Surroundings = Surroundings()
    read_mapping: ReadMapping = lambda _key, _mapping, _rows, _what: {}
    read_agents: ReadAgents = lambda _key, _agents: ()


class MakePrompt(Protocol):
    """Returns what an agent is asked, or told; `texts` are those of its work, filled in."""

    def __call__(self, spec: AgentSpec, work: Any, scope: Scope, texts: Mapping[str, str]) -> str: ...


def _nothing_within(_work: object) -> Mapping[str, AgentGraph]:
    return {}


@dataclass(frozen=True, slots=True)
class Kind:
    """All that the program knows of a kind of agent; the parameters of its functions are work of this kind.

    `key` is that of its work, and the key in a file that tells it from other kinds. `fields` are the keys that it
    has beside those of any agent. `run` does the work; `rehearse` does what stands for it in a rehearsal, where
    nothing may be paid for or changed (None: the same, as models are the sandbox's there). `children` are the
    graphs that may run within it, by a name of its own: known before anything runs. `texts` are those of the work
    in which references (`${…}`) are filled in: the turn has them in `texts`, by their keys.
    `names_children` puts the name of a child into the path of its agents, where several may have one name.
    `ensembles` are those that it runs, by the key that names each in a file; `with_ensembles` returns the work of
    an agent with those that were found, and says what doesn't fit them. `is_open`: its file lists none, and
    `open_to` returns the work with the names of those that may run then. `from_answers` says what of the task and
    the inputs (`inputs.NAME`) of its children comes from answers. `rounds` is how often they run at most, one
    round after the other.
    `shape` is everything about the work that shapes its answer, beside the models, the prompt, the history and the
    filled-in texts, for a key that takes `cache`; None: it is always done anew.
    `problems` are what is wrong with the work of the agent of this name, whoever wrote it.
    `answer_schema` is what its answers satisfy, if that is declared; `gives_childs_answer`: its answer is that of
    the child which runs. `takes_attachments`: its agents may say which files go with what they are asked.
    `answers` says whether its answers are text or data, and `answer_fields` which fields they have, for the check
    of conditions and references. `prompt` makes what work of
    this kind is told (None: a prompt for a model). `limit_s` is its time limit where the agent sets none.
    """

    key: str
    work: type[Work]
    _: KW_ONLY
    read: Callable[[AgentKeys], Work]
    run: Callable[[AgentContext, Any], Awaitable[AgentOutput]]
    rehearse: Callable[[AgentContext, Any], Awaitable[AgentOutput]] | None = None
    fields: Fields = field(default_factory=dict)
    needs: Callable[[Any], Needs] = lambda _work: Needs()
    children: Callable[[Any], Mapping[str, AgentGraph]] = _nothing_within
    texts: Callable[[Any], tuple[Text, ...]] = lambda _work: ()
    names_children: bool = False
    ensembles: Callable[[Any], Mapping[str, str | NestedEnsemble]] = lambda _work: {}
    with_ensembles: Callable[[str, Any, Mapping[str, NestedEnsemble], Say], Work] = (
        lambda _agent, work, _found, _say: work
    )
    is_open: Callable[[Any], bool] = lambda _work: False
    open_to: Callable[[Any, Sequence[str]], Work] = lambda work, _names: work
    from_answers: Callable[[AgentSpec, Names], frozenset[str]] = lambda _spec, _names: frozenset({"task"})
    rounds: Callable[[Any], int] = lambda _work: 1
    shape: Callable[[Any], Mapping[str, object]] | None = None
    answers: Callable[[Any], Answers] = lambda _work: "unknown"
    answer_schema: Callable[[Any], Schema | None] = lambda _work: None
    gives_childs_answer: bool = False
    problems: Callable[[str, Any], Iterable[SpecProblem]] = lambda _agent, _work: ()
    takes_attachments: bool = True
    answer_fields: Callable[[Any], AnswerFields] = lambda _work: {}
    prompt: MakePrompt | None = None
    limit_s: float | None = None
