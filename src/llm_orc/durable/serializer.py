"""How the durable engine keeps values: as JSON, errors included. Never pickle, which would let a row run code."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from dbos import Serializer

_ERROR = "$error"


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
        value = msgspec.json.decode(serialized_data)
        if isinstance(value, dict) and value.keys() == {_ERROR}:
            error = value[_ERROR]
            return StoredError(f"{error['type']}: {error['message']}")
        return value

    def name(self) -> str:
        return "llm_orc_json"
