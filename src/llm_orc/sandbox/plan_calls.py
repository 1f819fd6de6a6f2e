"""Play a provider that sells a plan's usage: what it refuses of requests with a token of its sign-in.

Which requests those are, and their list of models: as OpenAI's "Sign in with ChatGPT" has it
(https://developers.openai.com/siwc/token-sharing-open-source/preview-limitations, 2026-11).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.catalog.chatgpt import CHATGPT_CALLS
from llm_orc.protocols.chat_request import objects
from llm_orc.sandbox.refusals import refused_as

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.catalog.rows import DialectName
    from llm_orc.jsontypes import JsonValue
    from llm_orc.sandbox.oauth.server import OAuthServer

_PLAN_SCOPE = "openid"  # of a sign-in to an account; the sandbox's other sign-ins don't ask for it
_HIDDEN = "canned-hidden"  # not for display, as some models of the real list


class PlanCalls:
    """The requests with a token of the sign-in to a plan; every other request is as before."""

    def __init__(self, oauth: OAuthServer) -> None:
        self._oauth = oauth

    def concern(self, headers: Mapping[str, str]) -> bool:
        """Whether the request has a token of a plan's sign-in, also one that has expired."""
        return _PLAN_SCOPE in self._oauth.scopes_of(_token_in(headers))

    def check(self, dialect: DialectName, headers: Mapping[str, str], body: Mapping[str, JsonValue]) -> None:
        """Raise `Rejected` for a request that the real provider refuses."""
        if not self.concern(headers):
            return
        self.check_token(headers)
        if dialect != "openai-responses":
            raise refused_as("plan_route")
        if (param := _refused_part(body)) is not None:
            raise refused_as("plan_unsupported", param=param)

    def check_token(self, headers: Mapping[str, str]) -> None:
        """Raise `Rejected` if the token is a plan's and has ended, whether it expired or was disconnected."""
        if self.concern(headers) and self._oauth.token_state(_token_in(headers)) != "live":
            raise refused_as("plan_disconnected")

    def models(self, models: Sequence[str]) -> JsonValue:
        """Return the list of models in the plan's own format: in the order of the server, some not for display."""
        hidden: list[JsonValue] = [{"slug": _HIDDEN, "display_name": "Hidden", "visibility": "hide"}]
        shown: list[JsonValue] = [
            {"slug": model, "display_name": model.replace("-", " ").capitalize(), "visibility": "list"}
            for model in models
        ]
        return {"models": [*hidden, *shown]}


def _token_in(headers: Mapping[str, str]) -> str:
    return headers.get("authorization", "").partition(" ")[2]


def _refused_part(body: Mapping[str, JsonValue]) -> str | None:
    """Return the first part of the request that is refused."""
    for name in CHATGPT_CALLS.leave_out:
        if body.get(name) is not None:
            return name
    if body.get("stream") is not True:
        return "stream"
    if body.get("store") is not False:
        return "store"
    given = body.get("input")
    if not isinstance(given, list) or any(item.get("role") == "system" for item in objects(given)):
        return "input"
    return None
