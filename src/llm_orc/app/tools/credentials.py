"""What authorises requests to an MCP server: headers, a token from the environment, or a stored sign-in."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.accounts.tool_servers import client_of_entry
from llm_orc.auth.credential import OAuthToken, stored_name
from llm_orc.auth.oauth.discovery.protected_resource import read_challenge
from llm_orc.auth.tokens.oauth import OAuthAuthoriser, Tokens
from llm_orc.errors import AuthError, CredentialRefused, NotLoggedIn
from llm_orc.net.late_loop import in_thread
from llm_orc.net.origin import origin_of
from llm_orc.providers.redact import remember_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.app.wiring import App
    from llm_orc.net.transport import Transport
    from llm_orc.settings.model import McpServerSettings


class SignInCredentials:
    """Implements `mcp.http.Credentials` with the stored sign-in, refreshed as it expires; without one, with none.

    A server that needs no sign-in is never sent one that was made for another address.
    """

    def __init__(self, app: App, server: McpServerSettings, transport: Transport) -> None:
        self._app, self._server = app, server
        self._tokens = Tokens(open_credentials(app), transport, app.clock.now)
        self._authoriser: OAuthAuthoriser | None = None
        self._is_open = False
        self._sent: dict[str, str] = {}
        self._scopes: tuple[str, ...] = ()

    async def headers(self, refused: str = "") -> Mapping[str, str]:
        """See `Credentials`. Raises `NotLoggedIn`, `CredentialExpired` and the like, each with what to do."""
        if not self._is_open:
            self._authoriser = await in_thread(self._open)
            self._is_open = True
        if refused:
            await self._renew(refused)
        if self._authoriser is None:
            return self._server.headers
        token: dict[str, str] = {}
        await self._authoriser.authorise(token)
        self._sent = token
        remember_credentials(token)
        sent = {name.lower() for name in token}
        return {
            **{name: value for name, value in self._server.headers.items() if name.lower() not in sent},
            **token,
        }

    async def close(self) -> None:
        """See `Credentials`."""
        await self._tokens.__aexit__()

    async def _renew(self, refused: str) -> None:
        """Refresh what was refused. Raises `NotLoggedIn` where no refresh helps."""
        name, challenge = self._server.name, read_challenge(refused)
        again = f"llm-orc mcp login {name}"
        if self._authoriser is None:
            raise NotLoggedIn(f"the MCP server `{name}` needs a sign-in", hint=again)
        if challenge.wants_more:
            # A new sign-in replaces this one, so it asks for what this one permits, too.
            wanted = dict.fromkeys([*self._scopes, *challenge.scopes])
            scopes = "".join(f" --scope {quote(scope)}" for scope in wanted)
            raise NotLoggedIn(
                f"the MCP server `{name}` wants more than the sign-in permits", hint=f"{again}{scopes}"
            )
        error = CredentialRefused(f"the MCP server `{name}` refused the sign-in", hint=again)
        if not await self._authoriser.renew(error, self._sent):
            raise error

    def _open(self) -> OAuthAuthoriser | None:
        """Find the sign-in; None: there is none for this address."""
        assert self._server.url is not None  # a program gets no credentials from here
        origin = origin_of(self._server.url)
        entry = open_credentials(self._app).get(stored_name(self._server.name))
        if entry is None or not isinstance(entry.credential, OAuthToken):
            return None
        self._scopes = entry.credential.scopes
        if entry.origin != origin:
            raise AuthError(
                f"the sign-in of the MCP server `{self._server.name}` belongs to `{entry.origin}` and is not sent"
                f" to `{origin}`",
                hint=f"llm-orc mcp login {self._server.name}",
            )
        client = client_of_entry(self._app, entry)
        if client is None:
            raise NotLoggedIn(
                f"it is no longer known where the MCP server `{self._server.name}` was signed in to",
                hint=f"llm-orc mcp login {self._server.name}",
            )
        return OAuthAuthoriser(self._tokens.keeper(entry, client), origin)
