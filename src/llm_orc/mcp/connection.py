"""What the client needs from a connection to a server, however its messages travel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from llm_orc.mcp.wire import Incoming

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.mcp.wire import Params, RequestId, RpcError

Listener = Callable[[Incoming], bytes | None]
"""Takes what is no answer; returns what is sent back, for a request of the server."""


class RpcFailed(Exception):
    """The server answered a request with an error."""

    def __init__(self, error: RpcError) -> None:
        super().__init__(error.message)
        self.error = error


class SessionGone(Exception):
    """The server no longer knows the session: a new one has to be begun."""


class Connection(Protocol):
    """A connection to one server. Its maker closes it, which never raises."""

    async def request(
        self, number: RequestId, method: str, params: Params, *, headers: Mapping[str, str], limit_s: float
    ) -> JsonValue:
        """Send a request and return its result. `headers` are for HTTP alone.

        A request that is cancelled is cancelled at the server as well. Raises `RpcFailed` for an error of the
        server, `ToolServerFailed`, `ToolServerTimedOut`, and `SessionGone`.
        """
        ...

    async def notify(self, method: str, params: Params) -> None:
        """Send a notification. Raises `ToolServerFailed`."""
        ...

    def speaks(self, version: str) -> None:
        """Take the version that was agreed upon."""
        ...

    async def close(self) -> None:
        """End the connection, and what was started for it."""
        ...
