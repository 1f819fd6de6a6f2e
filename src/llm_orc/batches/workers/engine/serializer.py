"""How the durable engine stores values: as JSON, errors included. This process reads no other form."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from dbos import Serializer

SERIALIZATION = "llm_orc_json"
LONGEST_VALUE = 256 * 2**20  # characters; answers are far shorter

_ERROR = "$error"


class UnreadableValue(Exception):
    """A stored value is damaged, or not in the form that we write. It was not read."""


class StoredError(Exception):
    """The error of a step or workflow as it was stored: its type and its message."""


class JsonSerializer(Serializer):
    """Serializes exceptions too: if a serializer can't, the engine leaves the work pending without end.

    For the store's own errors that is what we want, so they are raised again. If the engine can't store a step's
    answer, as on a full disk, it would later store that error in place of the answer. Our steps raise none of
    them.
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
            raise UnreadableValue("it has a value that is too long")
        try:
            value = msgspec.json.decode(serialized_data)
        except (msgspec.MsgspecError, RecursionError, TypeError, ValueError) as e:
            raise UnreadableValue(f"it has a damaged value: {e}") from None
        if isinstance(value, dict) and value.keys() == {_ERROR}:
            error = value[_ERROR]
            if not isinstance(error, dict):
                raise UnreadableValue("it has a damaged error")
            return StoredError(f"{error.get('type')}: {error.get('message')}")
        return value

    def name(self) -> str:
        return SERIALIZATION


def refused(form: str) -> UnreadableValue:
    """Return the error for a value in the form `form`."""
    risk = ", which can run code" if "pickle" in form else ""
    return UnreadableValue(f"it has a value in the format `{form[:40]}`{risk}, not in ours (`{SERIALIZATION}`)")
