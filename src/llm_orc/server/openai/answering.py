"""One answer of OpenAI's protocols as its run goes on: a document at the end, or a stream of events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web

from llm_orc.auth.masking import hide_in_error
from llm_orc.engine.events import RunStarted
from llm_orc.engine.surprises import as_error
from llm_orc.errors import LlmOrcError
from llm_orc.server.access_log import REASON, REQUEST_ID, RUN
from llm_orc.server.answer import AnswerText, progress_in
from llm_orc.server.guard import CORS
from llm_orc.server.openai.chat import ChatAnswer
from llm_orc.server.openai.errors import RUN_HEADER, Failure, Reader, error_response, failure_of
from llm_orc.server.openai.outcome import Outcome, outcome_of
from llm_orc.server.openai.responses import ResponsesAnswer
from llm_orc.server.wire import KEEP_ALIVE, encode

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.server.openai.request import AskedFor
    from llm_orc.server.running import LiveRun

_LAST_WORD_S = 1.0

MakeAnswer = Callable[[str], ChatAnswer | ResponsesAnswer]
"""Makes the answer of a run, by its id."""


class Answering:
    """Writes one answer while its run is under way."""

    def __init__(
        self,
        request: web.Request,
        asked: AskedFor,
        make: MakeAnswer,
        text: AnswerText,
        *,
        headers: dict[str, str],
        reader: Reader,
    ) -> None:
        self._request, self._asked, self._headers = request, asked, headers
        self._make, self._text, self._reader = make, text, reader
        self._answer: ChatAnswer | ResponsesAnswer | None = None
        self._response: web.StreamResponse | None = None
        self._progress: list[str] = []

    async def answer(self, run: LiveRun, keep_alive_s: float) -> web.StreamResponse:
        """Answer with the run. Raises what it raises before anything has been sent.

        A stream on which nothing comes for `keep_alive_s` is kept alive. Cancelled, it ends with an error.
        """
        try:
            return await self._until_its_end(run, keep_alive_s)
        except asyncio.CancelledError:
            told = await self._stopped()
            if told is None:
                raise
            return told

    async def _until_its_end(self, run: LiveRun, keep_alive_s: float) -> web.StreamResponse:
        while True:
            try:
                event = await run.next(keep_alive_s)
            except TimeoutError:
                await self._keep_alive()
                continue
            if event is None:
                break
            if isinstance(event, RunStarted) and self._answer is None:
                await self._begin(event.run_id)
            piece = self._text.take(event)
            line = progress_in(event, says_why=self._reader.is_owner) if self._asked.shows_progress else ""
            await self._send(piece, line)
        try:
            outcome = outcome_of(await run.result(), self._reader)
        except Exception as e:
            if self._response is None:
                raise
            error = e if isinstance(e, LlmOrcError) else as_error(e)
            if RUN not in self._request:
                self._request[REASON] = hide_in_error(str(error))
            outcome = failure_of(error, self._reader)
        return await self._end(outcome)

    async def _stopped(self) -> web.StreamResponse | None:
        """End a stream whose run is being stopped; None: there is nobody to tell, as when the client has gone."""
        transport = self._request.transport
        if self._response is None or self._answer is None or transport is None or transport.is_closing():
            return None
        failure = Failure(503, "The server is stopping, and the run with it.", "server_error", "stopping")
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_LAST_WORD_S):
                await self._response.write(self._answer.failed(failure))
            return self._response
        return None

    async def _keep_alive(self) -> None:
        """Say that the answer is still to come, also before there is a run: access to models can take long."""
        if not self._asked.chat.stream:
            return
        if self._response is None:
            self._response = await opened(self._request, self._headers)
        await self._response.write(KEEP_ALIVE)

    async def _begin(self, run_id: str) -> None:
        self._request[RUN] = run_id
        self._headers[RUN_HEADER] = run_id
        self._answer = self._make(run_id)
        if self._asked.chat.stream:
            if self._response is None:
                self._response = await opened(self._request, self._headers)
            await self._response.write(self._answer.opening())

    async def _send(self, piece: str, line: str) -> None:
        if line:
            self._progress.append(line)
        if self._response is None or self._answer is None:
            return
        if line and not piece:
            await self._response.write(self._answer.reasoning(line))
        if piece:
            await self._response.write(self._answer.text(piece))

    async def _end(self, outcome: Outcome | Failure) -> web.StreamResponse:
        response = self._response
        if self._answer is None:  # the run has failed before its start
            self._answer = self._make(self._request[REQUEST_ID])
        if response is None:
            if isinstance(outcome, Failure):
                return error_response(outcome, self._headers)
            return json_response(self._answer.whole(outcome, "".join(self._progress)), self._headers)
        await response.write(self._last(self._answer, outcome))
        return response

    def _last(self, answer: ChatAnswer | ResponsesAnswer, outcome: Outcome | Failure) -> bytes:
        if isinstance(outcome, Failure):
            return answer.failed(outcome)
        try:
            rest = self._text.rest(outcome.text)
        except LlmOrcError as e:
            return answer.failed(failure_of(e, self._reader))
        return (answer.text(rest) if rest else b"") + answer.closing(outcome)


async def opened(request: web.Request, headers: dict[str, str]) -> web.StreamResponse:
    """Return the response of a stream, whose headers have been sent."""
    stream = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"}
    response = web.StreamResponse(
        headers={**headers, **stream, "X-Accel-Buffering": "no", **request.get(CORS, {})}
    )
    await response.prepare(request)
    return response


def json_response(value: JsonValue, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=encode(value), content_type="application/json", headers=headers)
