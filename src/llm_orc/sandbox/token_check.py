"""Check access tokens: models answer only to valid ones of the sandbox's own authorisation server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.sandbox.oauth.clients import MODEL_SCOPES
from llm_orc.sandbox.refusals import refused_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.catalog.rows import DialectName
    from llm_orc.sandbox.oauth.server import OAuthServer
    from llm_orc.sandbox.refusals import TokenTrouble


class TokenCheck:
    def __init__(self, oauth: OAuthServer) -> None:
        self._oauth = oauth

    def check(self, dialect: DialectName, headers: Mapping[str, str]) -> None:
        """Raise `Rejected` unless the `Authorization` header has a valid token (RFC 6750 §2.1)."""
        trouble = self._trouble(headers.get("authorization", ""))
        if trouble is not None:
            raise refused_token(dialect, trouble)

    def _trouble(self, authorization: str) -> TokenTrouble | None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return "missing"
        state = self._oauth.token_state(token)
        if state != "live":
            return state
        return "scope" if MODEL_SCOPES.isdisjoint(self._oauth.scopes_of(token)) else None
