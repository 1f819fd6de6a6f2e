"""The keys of an ensemble, and those that an agent of any kind has: one row each."""

from __future__ import annotations

from typing import get_args

from llm_orc.agents.repeats.fields import fan_out, samples, vote
from llm_orc.agents.spec import Sees, WhenFull
from llm_orc.ensembles.earlier.keys import OLDER_FIELDS
from llm_orc.ensembles.field_types import agent_name, attachments, cache_use, dependencies, ensemble_name, requires
from llm_orc.ensembles.inputs import INPUT_FIELDS, INPUTS
from llm_orc.settings.duration import duration
from llm_orc.settings.field import Field, Fields
from llm_orc.storage.field_types import (
    anything,
    boolean,
    choice,
    described,
    non_empty_text,
    number,
    optional,
    text,
    whole_number,
)

ENSEMBLE_FIELDS: Fields = {
    "name": Field(
        ensemble_name,
        r"What the ensemble is invoked by: one line, at most 128 characters, no `/` or `\`.",
        "counts",
        required=True,
        hint="Start the file with `name: my-ensemble`.",
    ),
    "description": Field(optional(text), "Shown by `llm-orc list-ensembles`.", "counts", is_prose=True),
    "default_task": Field(
        optional(text), "The task if no input is given.", "counts", default_text="none", is_prose=True
    ),
    "task": Field(
        optional(text),
        "Whether a run takes a task: `none` (it takes none) or `required` (no `default_task`). Any other text is"
        " the older name of `default_task`.",
        "counts",
        default_text="a task, else `default_task`",
        is_prose=True,
    ),
    "inputs": Field(
        INPUTS,
        "The values beside the task that a run takes, by name: `NAME: TYPE`, or `NAME:` with the keys below.",
        "counts",
        default_text="none",
        option="--set",
        of_each=INPUT_FIELDS,
        is_prose=True,
    ),
    "answer": Field(
        optional(agent_name),
        "The agent whose answer is the ensemble's.",
        "counts",
        default_text="the only agent that no other depends on, else the last one",
    ),
    "fails_when": Field(
        optional(non_empty_text),
        "The condition on the answers under which a run that has completed fails, with exit code 1.",
        "counts",
        default_text="never",
        is_prose=True,
    ),
    "conversation": Field(
        optional(non_empty_text),
        "The name of the conversation that every run continues.",
        default_text="none",
        option="--conversation",
    ),
    "max_cost": Field(
        optional(number(0)),
        "US dollars that a run may cost over metered accesses. The lowest limit counts.",
        "lowers",
        default_text="none",
        option="--max-cost",
    ),
    "max_calls": Field(
        optional(whole_number(0)),
        "Requests that a run may send to providers, retries included. The lowest limit counts.",
        "lowers",
        default_text="none",
        option="--max-calls",
    ),
    "max_total_tokens": Field(
        optional(whole_number(0)),
        "Tokens that a run may take, of input and output together, over all accesses. The lowest limit counts.",
        "lowers",
        default_text="none",
        option="--max-total-tokens",
    ),
    "when_full": Field(
        optional(choice(*get_args(WhenFull))),
        "What to do when the conversation no longer fits the model.",
        default="error",
        option="--when-full",
    ),
    "agents": Field(
        described(anything, "a list of agents"),  # read one by one
        "At least one agent, each with a different name.",
        "counts",
        required=True,
        hint="Add `agents:` with a list of mappings, each with a `name`.",
        is_prose=True,
    ),
}

FRAME_FIELDS: Fields = {
    "name": Field(
        agent_name,
        "The agent's name, once in an ensemble: letters of any script, digits, spaces, `-`, `_`, `.`;"
        " at most 128 characters.",
        "counts",
        required=True,
    ),
    "depends_on": Field(
        dependencies,
        "The agents whose answers this one gets; it starts when they have ended.",
        "counts",
        default_text="nothing: the agent starts at once",
    ),
    "requires": Field(
        optional(requires),
        "How many of the agents that it needs must have answered for it to run; otherwise it is skipped. With a"
        " number, it starts as soon as so many have.",
        "counts",
        default_text="`all`; `any` in a file as earlier releases wrote them",
    ),
    "within": Field(
        optional(duration),
        "How long it waits for all that it needs, from when the first of them starts: `90s`, `5m`. After that it"
        " starts as soon as `requires` lets it: `all` is then all that have answered, and at least one. Later"
        " answers are kept in the result, marked as late, and it is not given them.",
        "counts",
        default_text="until all have ended",
    ),
    "when": Field(
        optional(non_empty_text),
        "The condition under which it runs, such as `${judge.score} >= 7`; otherwise it is left out.",
        "counts",
        default_text="it always runs",
        is_prose=True,
    ),
    "cache": Field(
        optional(cache_use),
        "`true`: where nothing has changed that shapes its answer, it is given the answer of before, and nobody is"
        " asked. `{for: 30d}`: unless that is older. For models and programs.",
        "counts",
        default_text="it is always asked",
        option="--no-cache",
    ),
    "save_as": Field(
        optional(non_empty_text),
        "The file that its answer is written to, whole: a path below the working directory, with references to"
        " inputs only, and to `${index}` in a fan-out. Text is written as it is, data as JSON. An untrusted"
        " project's ensemble writes nothing: its runs are refused.",
        "runs",
        default_text="it is only in the result",
        is_prose=True,
    ),
    "attachments": Field(
        attachments,
        "The files that go with what it is asked: references to inputs of the type `file` or `files`, to the item"
        " of a `fan_out` over such a list, or to `${task.files}`, or paths of files below the folder of this one"
        " or of its project. `[]`: none.",
        "counts",
        default_text="the files of the task, if it sees the task",
        is_prose=True,
    ),
    "sees": Field(
        optional(choice(*get_args(Sees))),
        "Of what its prompt is made if it has no `prompt`: the `task`, the answers of `depends_on`"
        " (`dependencies`), or both.",
        "counts",
        default="all",
    ),
    "input_key": Field(
        optional(non_empty_text),
        "What it is given: this field of the JSON that the first agent of `depends_on` answers, and nothing else."
        " If there is none, the agent fails.",
        "counts",
        default_text="the task and the answers",
    ),
    **OLDER_FIELDS,
    "fan_out": Field(
        fan_out,
        "Run it once for each item of a list; its answer is the list of the answers. `over` is a reference to the"
        " list, or the items; `as` names the item in references (`item`), and `${index}` is its number, from 0."
        " At most `max` (100) items, `max_concurrent` of them at once. `on_item_failure`: `keep` (its error stands"
        " in the place of its answer) or `fail`. `true`: over the answer of the first of `depends_on`.",
        "counts",
        default_text="it runs once",
        is_prose=True,
    ),
    "samples": Field(
        samples,
        "Ask the model so many times, and take the answer that most agree on. It ends when no further answer can"
        " change that; with `{max: 15, ahead: 3}` also when one answer has 3 votes more than any other.",
        "counts",
        default_text="it is asked once",
        is_prose=True,
    ),
    "vote": Field(
        vote,
        "With `samples`, what has to be equal for answers to agree: `whole`, or a field of the `schema`, such as"
        " `verdict`. `choose`: a judge, which is the same model, chooses one of all answers; `{choose: PROFILE,"
        " by: TEXT}` names another one, and says which answer is the best.",
        "counts",
        default="whole",
        is_prose=True,
    ),
    "max_cost": Field(
        optional(number(0)),
        "US dollars that it may cost in one turn: its repairs, retries, fallbacks, items and samples, and all that"
        " runs within it. The ceilings around it hold as well.",
        "lowers",
        default_text="none of its own",
    ),
    "max_calls": Field(
        optional(whole_number(0)),
        "Requests that it, and all that runs within it, may send to providers in one turn.",
        "lowers",
        default_text="none of its own",
    ),
    "max_total_tokens": Field(
        optional(whole_number(0)),
        "Tokens of input and output that it, and all that runs within it, may take in one turn. `max_tokens` is"
        " about each answer.",
        "lowers",
        default_text="none of its own",
    ),
    "timeout_seconds": Field(
        optional(number(0, above=True)),
        "The longest time for this agent, in seconds, retries included; with `fan_out` or `samples`, for each.",
        "lowers",
        default_text="the profile's, else none",
    ),
    "conversation": Field(
        optional(boolean),
        "Whether this agent receives the conversation's history.",
        "lowers",
        default_text="`true`, if the ensemble or the command names a conversation",
    ),
}
"""An agent's place in the graph, whatever work it does."""
