"""The keys of an agent that asks a person, and how they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from llm_orc.agents.approval.work import DEFAULT_CHOICES, ApprovalWork, AsksFor
from llm_orc.net.text import one_line
from llm_orc.settings.duration import duration
from llm_orc.settings.field import Field, Fields
from llm_orc.storage.field_types import FieldType, WrongValue, choice, non_empty_text, optional, type_of
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from llm_orc.agents.kind import AgentKeys
    from llm_orc.jsontypes import JsonValue

_LONGEST = 60  # characters of a choice
_MOST = 20  # choices


def _choices(value: JsonValue) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) < 2:
        raise WrongValue("a list of at least two choices")
    if len(value) > _MOST:
        raise WrongValue(f"a list of at most {_MOST} choices")
    found = tuple(_choice(item) for item in value)
    if len({item.casefold() for item in found}) < len(found):
        raise WrongValue("a list of different choices")
    return found


def _choice(item: JsonValue) -> str:
    if not isinstance(item, str):
        raise WrongValue(f"a list of texts; one is {type_of(item)}", "Put it in quotes.")
    if not item or item != one_line(item, _LONGEST):
        raise WrongValue(f"a list of texts of one line and at most {_LONGEST} characters, without spaces around")
    return item


def _question(value: JsonValue) -> dict[str, JsonValue]:
    if isinstance(value, str) and value.strip():
        return {"message": value}
    if not isinstance(value, dict):
        raise WrongValue(f"a mapping with `message`, or the message alone, not {type_of(value)}")
    return value


QUESTION_FIELDS: Fields = {
    "message": Field(
        non_empty_text,
        "What the person is asked. References are filled in.",
        "counts",
        required=True,
        hint="Say what is asked: `message: Publish this?`.",
        is_prose=True,
    ),
    "choices": Field(
        FieldType(
            _choices,
            {
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": _LONGEST},
                "minItems": 2,
                "maxItems": _MOST,
                "uniqueItems": True,
            },
            "a list of at least two choices",
        ),
        "What they choose from. The first is the answer of a rehearsal.",
        "counts",
        default=[*DEFAULT_CHOICES],
        is_prose=True,
    ),
    "ask": Field(
        optional(choice(*get_args(AsksFor))),
        "For a `choice`, or for `text`: an answer in their own words.",
        "counts",
        default="choice",
    ),
    "within": Field(
        optional(duration),
        "How long they have from the first time they are asked, such as `30m`, `2h` or `3d`.",
        "counts",
        default_text="as long as they like",
    ),
    "otherwise": Field(
        optional(non_empty_text),
        "The answer if nobody has answered `within` that time.",
        "counts",
        default_text="the agent fails then",
        is_prose=True,
    ),
}
"""The keys of the mapping `approval`."""

APPROVAL_FIELDS: Fields = {
    "approval": Field(
        FieldType(_question, {"type": "string", "pattern": r"\S"}, "a mapping, or the `message` alone"),
        "What a person is asked, who decides how the run goes on.",
        "counts",
        required=True,
        fields=QUESTION_FIELDS,
        is_prose=True,
    ),
}


def read_approval(keys: AgentKeys) -> ApprovalWork:
    written = keys.values.get("approval")
    if not isinstance(written, dict):
        return ApprovalWork("")  # that is a problem already
    values = keys.read_mapping("approval", written, QUESTION_FIELDS, f"the approval of agent `{keys.agent}`")
    asks: AsksFor = values.get("ask") or "choice"
    meant = written.get("choices")  # what is wrong with them is told already; no other choices are meant
    as_written = tuple(one for one in meant if isinstance(one, str)) if isinstance(meant, list) else ()
    choices: tuple[str, ...] = values.get("choices") or as_written or DEFAULT_CHOICES
    otherwise, within_s = values.get("otherwise"), values.get("within")
    if asks == "text":
        if "choices" in values:
            message = f"agent `{keys.agent}` asks for text, so it has no `choices`"
            keys.say("approval.choices", message, "Keep `ask: text` or `choices`.")
        choices = ()
    elif otherwise is not None and otherwise not in choices:
        listed = ", ".join(f"`{one}`" for one in choices)
        keys.say(
            "approval.otherwise",
            f"`otherwise` of agent `{keys.agent}` must be one of its choices",
            did_you_mean(otherwise, choices) or f"They are {listed}.",
        )
    if otherwise is not None and within_s is None and "within" not in written:
        message = f"agent `{keys.agent}` has `otherwise`, but waits as long as it takes"
        keys.say("approval.otherwise", message, "Say until when: `within: 30m`.")
    if keys.values.get("timeout_seconds") is not None:
        message = f"agent `{keys.agent}` asks a person, and `timeout_seconds` counts only the time of one process"
        keys.say("timeout_seconds", message, "Write `within: 30m` in `approval`, which counts across processes.")
    return ApprovalWork(values.get("message") or "", choices, within_s, otherwise, asks)
