"""How the durable engine keeps values: as JSON, errors included. No other form is ever read in this process."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from dbos import Serializer

SERIALIZATION = "llm_orc_json"
LONGEST_VALUE = 256 * 2**20  # characters; an answer is far below it

_ERROR = "$error"


class UnreadableValue(Exception):
    """A value of the store is not in the form that we write, or is damaged. It was not read."""


class StoredError(Exception):
    """An error that a step or workflow ended with, as it is told after it was kept: its type and its words."""


class JsonSerializer(Serializer):
    """It takes exceptions too: where a serializer can't, the engine leaves the work pending for ever.

    That is just what is wanted of one kind. The engine takes a failure to keep a step's answer, as on a full disk,
    for the step's own: it would keep that failure in the answer's place, as soon as there is room again. Our steps
    raise none of these.
    """

    def serialize(self, data: Any) -> str:
        if isinstance(data, sa.exc.SQLAlchemyError):
            raise data
        if isinstance(data, BaseException):
            data = {_ERROR: {"type": type(data).__name__, "message": str(data)}}
        return msgspec.json.encode(data).decode()

    def deserialize(cls, serialized_data: str) -> Any:  # noqa: N805 - the engine's own signature
        """Raises `UnreadableValue`."""
        if len(serialized_data) > LONGEST_VALUE:
            raise UnreadableValue("it holds a value that is too long")
        try:
            value = msgspec.json.decode(serialized_data)
        except (msgspec.MsgspecError, RecursionError, TypeError, ValueError) as e:
            raise UnreadableValue(f"it holds a value that is damaged: {e}") from None
        if isinstance(value, dict) and value.keys() == {_ERROR}:
            error = value[_ERROR]
            if not isinstance(error, dict):
                raise UnreadableValue("it holds an error that is damaged")
            return StoredError(f"{error.get('type')}: {error.get('message')}")
        return value

    def name(self) -> str:
        return SERIALIZATION


def refused(form: str) -> UnreadableValue:
    """Say that a value is in the form `form`, which is not ours."""
    risk = ", which can run code" if "pickle" in form else ""
    return UnreadableValue(f"it holds a value in the form `{form[:40]}`{risk}, not in ours (`{SERIALIZATION}`)")
