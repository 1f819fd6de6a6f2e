"""The keys of an agent that runs others in rounds, and how they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from llm_orc.agents.ensemble.kind import GIVEN_FIELDS
from llm_orc.agents.loop.work import Keep, LoopWork, OnExhausted
from llm_orc.agents.references.syntax import is_special
from llm_orc.agents.spec import NestedEnsemble
from llm_orc.settings.field import Field, Fields
from llm_orc.storage.field_types import (
    FieldType,
    WrongValue,
    choice,
    described,
    field_type,
    json_mapping,
    non_empty_text,
    optional,
    type_of,
    whole_number,
)
from llm_orc.storage.suggest import closest_names, did_you_mean

if TYPE_CHECKING:
    from llm_orc.agents.kind import AgentKeys
    from llm_orc.jsontypes import JsonValue

MOST_ROUNDS = 1000


def _rounds(value: JsonValue) -> int:
    number = whole_number(1)(value)
    if number > MOST_ROUNDS:
        raise WrongValue(f"at most {MOST_ROUNDS}")
    return number


@field_type({"type": "array", "minItems": 1}, "a list of agents", "agents")
def _agents(value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list) or not value:
        raise WrongValue(f"a list of agents, not {'an empty one' if value == [] else type_of(value)}")
    return value


def _carry(value: JsonValue) -> str | dict[str, JsonValue]:
    return non_empty_text(value) if isinstance(value, str) else json_mapping(value)


LOOP_FIELDS: Fields = {
    "agents": Field(
        _agents,
        "The agents that run in each round. They may also refer to `${round}`, to `${last.NAME}`, an answer of the"
        " round before, and to all that is known around the loop.",
        "counts",
        default_text="`ensemble`",
        is_prose=True,
    ),
    "ensemble": Field(
        optional(non_empty_text),
        "The ensemble that runs in each round, in place of `agents`: a name, `FOLDER/NAME`, or a file's path.",
        "counts",
        default_text="`agents`",
    ),
    "answer": Field(
        optional(non_empty_text),
        "With `agents`: the one whose answer is that of a round.",
        "counts",
        default_text="the only agent that no other depends on, else the last one",
    ),
    "until": Field(
        optional(non_empty_text),
        "The condition on the answers of a round, such as `${judge.score} >= 8`, after which no other follows.",
        "counts",
        default_text="`max_rounds` is always reached",
        is_prose=True,
    ),
    "max_rounds": Field(
        FieldType(
            _rounds,
            {"type": "integer", "minimum": 1, "maximum": MOST_ROUNDS},
            f"a whole number from 1 to {MOST_ROUNDS}",
        ),
        "How many rounds there are at most.",
        "counts",
        default=3,
    ),
    "body": Field(
        optional(non_empty_text),
        "The older spelling of `ensemble`. In `until` and `carry`, `${field}` is then one of the round's answer.",
        "counts",
        default_text="`ensemble`",
    ),
    "max_iterations": Field(
        optional(
            FieldType(
                _rounds,
                {"type": "integer", "minimum": 1, "maximum": MOST_ROUNDS},
                f"a whole number from 1 to {MOST_ROUNDS}",
            )
        ),
        "The older spelling of `max_rounds`.",
        "counts",
        default_text="`max_rounds`",
    ),
    "keep": Field(
        choice(*get_args(Keep)),
        "Which round's answer is the loop's: the `last` one, or the `best` one by the number `by`.",
        "counts",
        default_text="`best` with `by`, else `last`",
    ),
    "by": Field(
        optional(non_empty_text),
        "With `best`: a field of an answer, such as `judge.score`. The highest number wins, the first among"
        " equals; a round without one doesn't count.",
        "counts",
        default_text="none",
        is_prose=True,
    ),
    "carry": Field(
        FieldType(
            _carry,
            {"type": ["object", "string", "null"]},
            "a mapping of values by name, or a text",
        ),
        "With `ensemble`: the values of its inputs from the second round on, from the answers of the round before."
        " A text is the task from then on.",
        "counts",
        default_text="each round is given the same",
        is_prose=True,
    ),
    "on_exhausted": Field(
        choice(*get_args(OnExhausted)),
        "Whether the agent fails if `until` has never held.",
        "counts",
        default="succeed",
    ),
}

FIELDS: Fields = {
    "loop": Field(
        described(json_mapping, "a mapping"),
        "The agents or the ensemble that run in rounds, and until when.",
        "counts",
        required=True,
        fields=LOOP_FIELDS,
        is_prose=True,
    ),
    **GIVEN_FIELDS,
}


def read_loop(keys: AgentKeys) -> LoopWork:
    values = keys.values
    written = values.get("loop")
    loop = keys.read_mapping("loop", written, LOOP_FIELDS, f"`loop` of agent `{keys.agent}`") if written else {}
    by, keep = loop.get("by"), loop.get("keep")
    carry: str | dict[str, JsonValue] = loop.get("carry") or {}
    work = LoopWork(
        _body(keys, loop),
        until=loop.get("until"),
        max_rounds=loop.get("max_rounds") or loop.get("max_iterations") or 3,
        keep=keep or ("last" if by is None else "best"),
        by=by if by is None or is_special(by) else f"${{{by.strip()}}}",
        carry={} if isinstance(carry, str) else carry,
        carry_task=carry if isinstance(carry, str) else None,
        on_exhausted=loop.get("on_exhausted") or "succeed",
        inputs=values.get("inputs") or {},
        task=values.get("task"),
        is_earlier=loop.get("body") is not None,
    )
    if isinstance(written, dict):
        _check(keys, written, loop, work)
    return work


def _body(keys: AgentKeys, loop: dict[str, Any]) -> str | NestedEnsemble:
    if loop.get("agents") is None:
        return loop.get("ensemble") or loop.get("body") or ""
    agents = keys.read_agents("loop.agents", loop["agents"])
    return NestedEnsemble(keys.agent, agents, answer=loop.get("answer") or "", is_body=True)


def _check(keys: AgentKeys, written: dict[str, JsonValue], loop: dict[str, Any], work: LoopWork) -> None:
    what = f"agent `{keys.agent}`"
    named_by = ("agents", "ensemble", "body")
    named = [key for key in named_by if key in written]
    if len(named) > 1:
        keys.say(
            f"loop.{named[1]}", f"{what}: the loop has both `{named[0]}` and `{named[1]}`", "Keep one of them."
        )
    elif not named and not any(closest_names(key, named_by, limit=1) for key in written if key not in LOOP_FIELDS):
        message = f"{what}: the loop says with neither `agents` nor `ensemble` what runs"
        keys.say("loop", message, "Write its agents: `agents: [{name: …}]`.")
    _check_older(keys, written, what)
    if work.keep == "best" and work.by is None:
        hint = "Add `by`, such as `by: judge.score`."
        keys.say("loop.keep", f"{what}: nothing says which round is the best", hint)
    if work.keep == "last" and work.by is not None:
        message = f"{what}: `by` has no effect, as the answer of the last round is kept"
        keys.say("loop.by", message, "Remove one of `by` and `keep`.")
    if work.on_exhausted == "fail" and work.until is None:
        keys.say("loop.on_exhausted", f"{what}: a loop without `until` always ends after its last round")
    if isinstance(work.body, NestedEnsemble):
        _check_body(keys, work, work.body, what)
    elif loop.get("answer") is not None:
        hint = "The ensemble's own file says it: `answer: NAME`."
        keys.say("loop.answer", f"{what}: `answer` is for a loop with `agents`", hint)


def _check_older(keys: AgentKeys, written: dict[str, JsonValue], what: str) -> None:
    if "max_rounds" in written and "max_iterations" in written:
        message = f"{what}: the loop has both `max_rounds` and `max_iterations`, its older spelling"
        keys.say("loop.max_iterations", message, "Keep `max_rounds`.")
    if "body" in written and written.keys().isdisjoint({"max_rounds", "max_iterations"}):
        message = f"{what}: a loop with `body` says how many rounds there are at most"
        keys.say("loop.body", message, "Add `max_iterations: 3`.")


def _check_body(keys: AgentKeys, work: LoopWork, body: NestedEnsemble, what: str) -> None:
    names = [spec.name for spec in body.agents]
    if body.answer and body.answer not in names:
        hint = did_you_mean(body.answer, names)
        message = f"{what}: `answer` names `{body.answer[:80]}`, which is no agent of the loop"
        keys.say("loop.answer", message, hint)
    hint = "They refer to what is known around the loop, and to `${last.NAME}`, directly."
    if work.inputs:
        keys.say("inputs", f"{what}: the agents of the loop have no inputs of their own", hint)
    if work.carry:
        keys.say("loop.carry", f"{what}: the agents of the loop have no inputs of their own", hint)
