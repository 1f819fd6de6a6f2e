"""What a script's output means: its answer, or why it failed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from llm_orc.agents.output import AgentOutput
from llm_orc.auth.masking import Mask
from llm_orc.auth.secret import revealed
from llm_orc.errors import AnswerInvalid, ScriptFailed
from llm_orc.net.text import one_line
from llm_orc.schemas.validate import checker_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.script.work import Output
    from llm_orc.jsontypes import JsonValue
    from llm_orc.schemas.walk import Schema

_SHOWN = 400  # characters
_SECRET_NAME = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)


def answer_of(agent: str, written: bytes, output: Output | None, *environments: Mapping[str, str]) -> AgentOutput:
    """Return the answer. One line end at its end is left out. Raises `ScriptFailed`, with masked words.

    Without `output`, a JSON object or list is data too, and an object that reports a failure is one, as in earlier
    releases: its `success` is false, or it has an `error`.
    """
    text = written.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
    if output == "text":
        return AgentOutput(text, ())
    data = _json(text)
    if output == "json":
        if data is msgspec.UNSET:
            raise ScriptFailed(
                f"the output of agent `{agent}` is not JSON{_quoted(text, *environments)}",
                hint="Write one JSON document to standard output and everything else to standard error, or leave"
                " `output: json` out.",
            )
        return AgentOutput(text, (), data)
    if not isinstance(data, dict | list):
        return AgentOutput(text, ())
    if isinstance(data, dict) and (reported := _failure_in(data, *environments)) is not None:
        failed = ScriptFailed(
            f"the program of agent `{agent}` reports a failure{reported}",
            hint="If that is its answer, say so with `output: json`.",
        )
        failed.payload = {key: value for key, value in data.items() if key not in {"success", "error"}} or None
        raise failed
    return AgentOutput(text, (), data)


def checked_by(agent: str, schema: Schema, output: AgentOutput, *environments: Mapping[str, str]) -> AgentOutput:
    """Return the output. Raises `AnswerInvalid`, with masked words, if it doesn't satisfy the schema."""
    complaints = checker_for(schema).complaints(output.data)
    if not complaints:
        return output
    some = _masked("; ".join(complaints[:3]), *environments)
    error = AnswerInvalid(
        f"the output of agent `{agent}` does not satisfy its schema: {some}{'; …' if len(complaints) > 3 else ''}",
        hint="Correct the program, or the `schema` of the agent.",
    )
    error.payload = output.data
    raise error


def _json(text: str) -> JsonValue | msgspec.UnsetType:
    try:
        value: JsonValue = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return msgspec.UNSET
    return value


def _failure_in(data: dict[str, JsonValue], *environments: Mapping[str, str]) -> str | None:
    error = data.get("error")
    if not error and data.get("success", True):
        return None
    words = error if isinstance(error, str) else msgspec.json.encode(error).decode() if error else ""
    return f": {shown(words, *environments)}" if words else ": `success` is false"


def _quoted(text: str, *environments: Mapping[str, str]) -> str:
    return f"; it begins with `{_masked(text, *environments)[:80]}`" if text.strip() else ": there is none"


def shown(text: str, *environments: Mapping[str, str]) -> str:
    """Return what a program has said, in one printable line: the end of it, if it is long.

    Masked are credentials that this process has used, and variables of `environments` that look like some.
    """
    line = _masked(text, *environments)
    return line if len(line) <= _SHOWN else f"… {line[-_SHOWN:]}"


def _masked(text: str, *environments: Mapping[str, str]) -> str:
    mask = Mask()
    for secret in revealed():
        mask.add(secret)
    for environ in environments:
        for name, value in environ.items():
            if _SECRET_NAME.search(name):
                mask.add(value)
    return one_line(mask.hide_in_error(text), len(text) + 1)
