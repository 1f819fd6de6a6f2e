"""The tokens of token commands in one process: kept in memory to their end, fetched once for all who wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llm_orc.auth.commands import in_words
from llm_orc.auth.tokens.command_output import read_output
from llm_orc.auth.tokens.command_run import LIMIT_S, run_command
from llm_orc.errors import AccessRefused, CredentialRefused, LlmOrcError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from llm_orc.auth.secret import Secret

UNTOLD_S = 300.0  # how long a token is used whose end nobody told
_MARGIN_S, _MARGIN_PART = 60.0, 1 / 10  # before the end; of what is left, if that is shorter
_REST_S = 30.0  # after a failure or a refusal, before the command is run again

Key = tuple[tuple[str, ...], str]  # the command, and the origin that its token is for


class TokenCommands:
    """One keeper for each command in use. `close` ends commands that are running."""

    def __init__(
        self, environ: Mapping[str, str], clock: Callable[[], float], *, limit_s: float = LIMIT_S
    ) -> None:
        self._environ, self._clock, self._limit_s = environ, clock, limit_s
        self._keepers: dict[Key, CommandKeeper] = {}

    async def close(self) -> None:
        for keeper in self._keepers.values():
            await keeper.close()

    def keeper(self, argv: tuple[str, ...], origin: str) -> CommandKeeper:
        """Return the keeper of this command for this server, the same one for all callers."""
        if (argv, origin) not in self._keepers:
            self._keepers[argv, origin] = CommandKeeper(
                argv, origin, self._environ, self._clock, limit_s=self._limit_s
            )
        return self._keepers[argv, origin]


class CommandKeeper:
    """One command. However many callers there are, at most one process is running."""

    def __init__(
        self,
        argv: tuple[str, ...],
        origin: str,
        environ: Mapping[str, str],
        clock: Callable[[], float],
        *,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._argv, self._environ, self._clock, self._limit_s = argv, environ, clock, limit_s
        self.origin = origin
        self._token: Secret | None = None
        self._until = 0.0
        self._failure: LlmOrcError | None = None  # raised again until `_rest_until`
        self._rest_until = 0.0
        self._running: asyncio.Task[Secret | LlmOrcError] | None = None

    async def current(self) -> Secret:
        """Return a token to send now. Raises `TokenCommandFailed`, `KeyMalformed`, `CredentialRefused`."""
        if self._token is not None and self._clock() < self._until:
            return self._token
        if self._failure is not None and self._clock() < self._rest_until:
            raise self._failure
        return await self._fetched()

    async def replace(self, refused: str) -> bool:
        """After a 401 for the token `refused`: True if there is another one now. Raises as `current`."""
        if self._token is not None and self._token.reveal() == refused:
            self._token = None
        return (await self.current()).reveal() != refused

    def give_up(self, refused: str, error: LlmOrcError) -> None:
        """Note that the server finally refused this token, so that not every call runs the command again."""
        if self._token is None or self._token.reveal() == refused:
            self._token = None
            self._failed(error)

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _fetched(self) -> Secret:
        """Wait for the process that is running, or start one; it continues if a caller is cancelled."""
        if self._running is None:
            # Not in a task group: others may wait for it, too. `close` ends it.
            self._running = asyncio.create_task(self._fetch())
            self._running.add_done_callback(self._ended)
        found = await asyncio.shield(self._running)
        if isinstance(found, LlmOrcError):
            raise found
        return found

    def _ended(self, _: asyncio.Task[Secret | LlmOrcError]) -> None:
        self._running = None

    async def _fetch(self) -> Secret | LlmOrcError:
        try:
            data = await run_command(self._argv, self._environ, self._limit_s)
            now = self._clock()
            found = read_output(
                data, f"the output of the token command `{in_words(self._argv)}`", self.origin, now
            )
        except LlmOrcError as e:
            self._failed(e)
            return e
        left = UNTOLD_S if found.ends_at is None else found.ends_at - now
        margin = 0.0 if found.ends_at is None else min(_MARGIN_S, left * _MARGIN_PART)
        self._token, self._until, self._failure = found.secret, now + left - margin, None
        return found.secret

    def _failed(self, error: LlmOrcError) -> None:
        self._failure, self._rest_until = error, self._clock() + _REST_S


class CommandAuthoriser:
    """Adds the present token of a command to a request: in `header`, after `scheme` if there is one."""

    def __init__(self, keeper: CommandKeeper, header: str = "Authorization", scheme: str = "Bearer") -> None:
        self._keeper, self._header, self._scheme = keeper, header, scheme

    @property
    def origin(self) -> str:
        return self._keeper.origin

    async def authorise(self, headers: MutableMapping[str, str]) -> None:
        """Raises `TokenCommandFailed`, `KeyMalformed`; `CredentialRefused` soon after a refusal."""
        token = (await self._keeper.current()).reveal()
        headers[self._header] = f"{self._scheme} {token}" if self._scheme else token

    async def renew(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> bool:
        """Run the command once more after a 401, unless that happened since."""
        if isinstance(refused, AccessRefused) or refused.status != 401:
            return False
        return await self._keeper.replace(self._sent_in(headers))

    async def remember(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> None:
        if isinstance(refused, AccessRefused) or refused.status == 401:
            self._keeper.give_up(self._sent_in(headers), refused)

    def accepted(self) -> None:
        return

    def _sent_in(self, headers: Mapping[str, str]) -> str:
        sent = headers.get(self._header, "")
        return sent.removeprefix(f"{self._scheme} ") if self._scheme else sent
