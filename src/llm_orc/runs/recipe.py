"""The recipe, which shapes a run's answers, and a run as recorded in the journal."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

import msgspec

from llm_orc.agents.budgets.ceilings import Ceilings
from llm_orc.agents.choice import ModelChoice, NamedModel
from llm_orc.agents.files.ref import files_of
from llm_orc.agents.kinds import KINDS
from llm_orc.agents.model.kind import MODEL
from llm_orc.agents.references.syntax import literal
from llm_orc.agents.spec import Caching, NestedEnsemble, WhenFull
from llm_orc.agents.work import DEFAULT_MAX_TURNS, Graph, ModelWork, Work
from llm_orc.auth.access import Bill
from llm_orc.dataclass import dataclass
from llm_orc.engine.events import RecordedEvent
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import RunNotFound, RunNotResumable
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.base import Message
from llm_orc.providers.parts import FileRef
from llm_orc.runs.filter import RunFilter
from llm_orc.runs.journal import RunRow
from llm_orc.runs.state import RunState
from llm_orc.runs.wire import decode_event, encode

if TYPE_CHECKING:
    from llm_orc.runs.filter import RunKind
    from llm_orc.runs.journal import Journal

FILE_TYPES = ("file", "files")
LAST = "last"  # the name of a run
_ONE_AT_A_TIME = threading.Lock()
"""msgspec looks at a dataclass when it first decodes one, and crashes if several threads do so at once."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that shapes a run's answers, fixed when it starts: a changed YAML changes no started run."""

    ensemble: Ensemble
    task: str
    choices: dict[str, tuple[ModelChoice, ...]]
    allow_metered: bool = False
    rehearsal: bool = False
    timeout_s: float | None = None
    max_cost_usd: float | None = None
    max_calls: int | None = None
    conversation: str | None = None
    remembering: tuple[str, ...] = ()  # the agents that use the conversation
    when_full: WhenFull = "error"
    keeps_turns: bool = True  # False: agents receive the history, and nothing is added to the conversation
    is_chat: bool = False  # one turn of a chat, which is asked again in the chat
    wait_for_plan: bool = False  # agents wait for a plan that is used up
    caching: Caching = "use"
    agreed: tuple[Bill, ...] = ()  # as `allow_metered`, consent, which shapes no answer: to these bills, sorted
    plans: tuple[str, ...] = ()  # the same: to the plans of these providers, sorted
    inputs: Mapping[str, JsonValue] = field(default_factory=dict)  # a value for every input of the ensemble
    input_columns: Mapping[str, str] = field(
        default_factory=dict
    )  # in a batch: the columns that rows' inputs have
    is_served: bool = False  # a client of a server asked for it
    said: tuple[Message, ...] = ()  # turns before the task, brought along by a client; in place of a conversation
    files: tuple[FileRef, ...] = ()  # those that came with the task
    named_files: Mapping[str, FileRef] = field(default_factory=dict)  # those that the ensemble names, by path

    @property
    def all_files(self) -> tuple[FileRef, ...]:
        """Every file that the run may read, each content once."""
        given = [
            *self.files,
            *self.named_files.values(),
            *(
                one
                for spec in self.ensemble.inputs
                if spec.type in FILE_TYPES
                for one in files_of(self.inputs.get(spec.name)) or ()
            ),
        ]
        return tuple({one.sha256: one for one in given}.values())

    max_total_tokens: int | None = None

    @property
    def ceilings(self) -> Ceilings:
        """What the whole run may spend."""
        return Ceilings(self.max_cost_usd, self.max_calls, self.max_total_tokens)

    def with_ceilings(self, ceilings: Ceilings) -> Recipe:
        return replace(
            self,
            max_cost_usd=ceilings.max_cost_usd,
            max_calls=ceilings.max_calls,
            max_total_tokens=ceilings.max_total_tokens,
        )

    @property
    def named_models(self) -> dict[str, NamedModel]:
        """The models that were named for this run in place of the ensemble's, by agent."""
        return {
            agent: choices[0].instead
            for agent, choices in self.choices.items()
            if choices and choices[0].instead is not None
        }


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A recorded run. `next_seq` is the number of its next event; 0: it is not in the journal yet."""

    row: RunRow
    recipe: Recipe
    events: tuple[RecordedEvent, ...]
    next_seq: int

    @property
    def state(self) -> RunState:
        state = RunState()
        for event in self.events:
            state.apply(event)
        return state


def encode_recipe(recipe: Recipe) -> bytes:
    return encode(recipe)


def decode_recipe(stored: bytes) -> Recipe:
    """Return the recipe, also in earlier releases' format. Raises `msgspec.MsgspecError`."""
    with _ONE_AT_A_TIME:
        return _decoded(stored)


def _decoded(stored: bytes) -> Recipe:
    outline = msgspec.json.decode(stored, type=_Stored)
    if all(agent.work is not msgspec.UNSET for agent in outline.ensemble.agents):
        known = msgspec.json.decode(stored, type=Recipe, dec_hook=_decode_work)
        return known if outline.inputs is not msgspec.UNSET else _without_references(known)
    recipe = msgspec.json.decode(stored)
    for agent in recipe["ensemble"]["agents"]:
        agent["work"] = {
            "kind": MODEL.key,
            **{key: agent.pop(key) for key in _EARLIER_AGENT if key in agent and key not in _FRAME},
        }
    return _without_references(msgspec.convert(recipe, type=Recipe, dec_hook=_decode_work))


def _without_references(recipe: Recipe) -> Recipe:
    """Return a recipe of a release that had no references: what looks like one in a prompt is text."""
    agents = tuple(
        replace(spec, work=replace(work, system_prompt=literal(work.system_prompt)))
        if isinstance(work := spec.work, ModelWork) and work.system_prompt is not None
        else spec
        for spec in recipe.ensemble.agents
    )
    return replace(recipe, ensemble=replace(recipe.ensemble, agents=agents))


def identity_of(recipe: Recipe) -> bytes:
    """Return text that is the same for equal recipes in every release.

    An agent with a model is written as by the releases that had no other agents. Whether it waits for a plan, and
    what its agents may spend, does not shape its answers.
    """
    values = _without_ceilings(msgspec.to_builtins(recipe))
    assert isinstance(values, dict)
    del values["wait_for_plan"]  # earlier releases have identities without it
    del values["plans"]
    del values["caching"]
    del values["agreed"]
    for key in ("inputs", "said", "is_served", "input_columns", "files", "named_files"):
        if not values[key]:
            del values[key]
    ensemble = values["ensemble"]
    for key, usual in (("inputs", ()), ("task", "optional"), ("fails_when", None), ("answer", "")):
        if ensemble[key] == usual:
            del ensemble[key]
    for choices in values["choices"].values():
        for choice in choices:
            del choice["instead"]  # which model it is counts, and not how it was named
            del choice["calls_tools"]  # as the agent says
    values["ensemble"]["agents"] = [_identity_of_agent(agent) for agent in values["ensemble"]["agents"]]
    return encode(values)


def _without_ceilings(value: Any) -> Any:
    """Leave out the ceilings of agents, and what of others earlier releases did not have."""
    if isinstance(value, list | tuple):
        return type(value)(_without_ceilings(one) for one in value)
    if not isinstance(value, dict):
        return value
    left_out = set()
    if "ceilings" in value and "depends_on" in value:  # an agent
        left_out.add("ceilings")
    if "agents" in value and "max_calls" in value:  # an ensemble
        left_out.add("max_total_tokens")
    if "ensemble" in value and "choices" in value:  # the recipe
        left_out.add("max_total_tokens")
    return {key: _without_ceilings(one) for key, one in value.items() if key not in left_out}


def _identity_of_agent(agent: dict[str, JsonValue]) -> dict[str, JsonValue]:
    work = agent["work"]
    agent = {
        key: value
        for key, value in agent.items()
        if key not in {"within_s", "cache", "attachments"} or value is not None
    }
    if not isinstance(work, dict) or work["kind"] != MODEL.key:
        return agent
    flat = {**agent, **work}
    later = {key: flat[key] for key, usual in _LATER_AGENT.items() if flat.get(key, usual) != usual}
    return {key: flat[key] for key in _EARLIER_AGENT} | later


def _decode_work(wanted: type, value: object) -> Work | Graph:
    if wanted is Graph:
        return msgspec.convert(value, type=NestedEnsemble, dec_hook=_decode_work)
    if wanted is not Work or not isinstance(value, dict) or value.get("kind") not in KINDS:
        raise msgspec.ValidationError("work of a kind that this release does not know")
    return msgspec.convert(value, type=KINDS[value["kind"]].work, dec_hook=_decode_work)


class _StoredAgent(msgspec.Struct):
    work: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _StoredEnsemble(msgspec.Struct):
    agents: tuple[_StoredAgent, ...]


class _Stored(msgspec.Struct):
    ensemble: _StoredEnsemble
    inputs: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


# The keys of an agent in the recipes of earlier releases, in order; all agents were language models.
_EARLIER_AGENT = (
    "name",
    "model",
    "system_prompt",
    "depends_on",
    "requires",
    "temperature",
    "max_tokens",
    "options",
    "timeout_s",
    "fallback_model_profile",
    "output_format",
    "auth_method",
    "conversation",
)
# With the values that say nothing.
_LATER_AGENT: Mapping[str, object] = {
    "when": None,
    "sees": "all",
    "handles_failure": False,
    "is_earlier": False,
    "input_key": None,
    "prompt": None,
    "schema": None,
    "repairs": 2,
    "fan_out": None,
    "samples": None,
    "within_s": None,
    "cache": None,
    "attachments": None,
    "evidence": (),
    "save_as": None,
    "tools": (),
    "max_turns": DEFAULT_MAX_TURNS,
    "ensembles": {},
}
_LATER_FRAME = frozenset({"within_s", "cache", "attachments"})
_FRAME = frozenset({"name", "depends_on", "requires", "timeout_s", "conversation"})


def encode_ensemble(ensemble: Ensemble) -> bytes:
    """Return what the ensemble, and those within it, say, wherever their files are: equal for equal ones."""
    return msgspec.json.encode(_without_source(msgspec.to_builtins(ensemble)))


def _without_source(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _without_source(inner) for key, inner in value.items() if key != "source"}
    return [_without_source(inner) for inner in value] if isinstance(value, list | tuple) else value


def load_run(journal: Journal, run_id: str) -> RecordedRun:
    """Return the run with exactly this id. Raises `RunNotFound`, `RunNotResumable`, `StorageError`."""
    found = journal.run(run_id)
    if found is None:
        raise RunNotFound(f"there is no run `{run_id}`", hint="llm-orc runs list")
    row, recipe = found
    stored = journal.events(run_id)
    try:
        decoded = decode_recipe(recipe)
    except msgspec.MsgspecError as e:
        raise RunNotResumable(f"the recipe of run `{run_id}` can't be read: {e}") from e
    events = tuple(event for _, kind, body in stored for event in decode_event(kind, body))
    return RecordedRun(row, decoded, events, next_seq=stored[-1][0] + 1 if stored else 0)


def kind_of(recipe: Recipe) -> RunKind:
    """Return what a run with this recipe is."""
    return "chat" if recipe.is_chat else "served" if recipe.is_served else "ensemble"


def find_run(journal: Journal, text: str) -> str:
    """Return the id of the run that `text` names: an id, the start or end of one, or `last`.

    `last` is the newest run that somebody started; a turn of a chat, or a request to a server, if there are only
    these. Raises `RunNotFound` if there is none or more than one.
    """
    if text == LAST:
        newest = journal.runs(RunFilter("ensemble"), limit=1) or journal.runs(limit=1)
        if not newest:
            raise RunNotFound("there are no runs yet", hint="llm-orc invoke ENSEMBLE")
        return newest[0].run_id
    ids = journal.find(text)
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise RunNotFound(f"there is no run `{text}`", hint="llm-orc runs list")
    raise RunNotFound(f"`{text}` matches {len(ids)} runs: {', '.join(ids[:5])}{' …' if len(ids) > 5 else ''}")
