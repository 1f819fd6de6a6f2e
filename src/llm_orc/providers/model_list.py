"""Ask a server on this machine which models it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_orc.catalog.dialects import DIALECTS
from llm_orc.providers.dialects.tolerant import UNREADABLE

if TYPE_CHECKING:
    from llm_orc.net.transport import Transport
    from llm_orc.providers.endpoint import Endpoint

_LARGEST_LIST = 8 * 2**20  # bytes; the longest known lists have less than one million
_LIST_LIMIT_S = 2.0


async def list_models(endpoint: Endpoint, http: Transport) -> tuple[str, ...]:
    """Ask a server that needs no credential which models it has, within two seconds.

    Raises `TransportError` where none answers; an answer that is no list of models is an empty one.
    """
    path = DIALECTS[endpoint.dialect].models_path
    url = endpoint.base_url + path
    answer = await http.send("GET", url, dict(endpoint.headers), limit_s=_LIST_LIMIT_S, most_bytes=_LARGEST_LIST)
    try:
        listed = msgspec.json.decode(answer.body, type=_Models) if answer.status == 200 else _Models()
    except UNREADABLE:
        return ()
    return tuple(model.id or model.name.removeprefix("models/") for model in (listed.data or listed.models or []))


class _Model(msgspec.Struct):
    id: str = ""
    name: str = ""


class _Models(msgspec.Struct):
    data: list[_Model] | None = None
    models: list[_Model] | None = None
