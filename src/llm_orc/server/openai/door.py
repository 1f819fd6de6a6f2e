"""The routes for clients of OpenAI's protocols: `/v1/models`, `/v1/chat/completions`, `/v1/responses`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from llm_orc.app.serving.asides import Aside, aside_in
from llm_orc.app.serving.served import ServedRequest
from llm_orc.auth.masking import hide_in_error
from llm_orc.engine.surprises import as_error
from llm_orc.errors import EnsembleNotFound, LlmOrcError
from llm_orc.server.access_log import REASON, REQUEST_ID, RUN
from llm_orc.server.answer import AnswerText
from llm_orc.server.guard import CLIENT
from llm_orc.server.openai.answering import Answering, json_response, opened
from llm_orc.server.openai.chat import ChatAnswer
from llm_orc.server.openai.errors import Failure, Reader, error_response, failure_of
from llm_orc.server.openai.outcome import Outcome, Tokens
from llm_orc.server.openai.request import Unacceptable, read_request
from llm_orc.server.openai.responses import ResponsesAnswer
from llm_orc.server.running import running

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.app.serving.offers import Offer, Offers
    from llm_orc.app.serving.served import Served
    from llm_orc.jsontypes import JsonValue
    from llm_orc.server.openai.request import AskedFor

IGNORED_HEADER = "LLM-Orc-Ignored"
ASIDE_HEADER = "LLM-Orc-Aside"

Answers = type[ChatAnswer] | type[ResponsesAnswer]


class OpenAiDoor:
    """Answers clients with runs of what is offered. A stream on which nothing comes is kept alive."""

    def __init__(
        self, offers: Offers, served: Served, now: Callable[[], float], *, keep_alive_s: float = 15.0
    ) -> None:
        self._offers, self._served, self._now = offers, served, now
        self._keep_alive_s = keep_alive_s
        self._began = now()

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_get("/v1/models", self._models)
        router.add_get("/v1/models/{model:.+}", self._model)
        router.add_post("/v1/chat/completions", self._chat)
        router.add_post("/v1/responses", self._responses)

    async def _models(self, _request: web.Request) -> web.Response:
        data: list[JsonValue] = [self._row(offer) for offer in await self._offers.all()]
        return json_response({"object": "list", "data": data})

    async def _model(self, request: web.Request) -> web.Response:
        try:
            return json_response(self._row(await self._offers.find(request.match_info["model"])))
        except EnsembleNotFound as e:
            return error_response(_not_offered(e))
        except LlmOrcError as e:
            return error_response(self._failure(request, e))

    def _failure(self, request: web.Request, error: LlmOrcError) -> Failure:
        """Return an error before there is an answer; without a run, the log alone has the whole of it."""
        if RUN not in request:
            request[REASON] = hide_in_error(str(error))
        return failure_of(error, self._reader(request))

    def _reader(self, request: web.Request) -> Reader:
        return Reader(self._served.is_for_owner, request[REQUEST_ID])

    def _row(self, offer: Offer) -> JsonValue:
        row = {"id": offer.id, "object": "model", "created": int(self._began), "owned_by": "llm-orc"}
        return {**row, "description": offer.about} if offer.about else row

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, ChatAnswer)

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, ResponsesAnswer)

    async def _answer(self, request: web.Request, answers: Answers) -> web.StreamResponse:
        headers: dict[str, str] = {}
        try:
            asked = await read_request(request, answers.dialect)
            if asked.ignored:
                headers[IGNORED_HEADER] = ", ".join(asked.ignored)
            offer = await self._offers.find(asked.chat.model)
            aside = aside_in(asked.chat.messages) if len(offer.ensemble.agents) > 1 else None
            if aside is not None:
                return await self._aside(request, answers, asked, aside, headers)
            served = ServedRequest(
                offer, asked.chat.messages, asked.chat.system_prompt, asked.conversation, request.get(CLIENT)
            )
            async with running(self._served, served, stream=asked.chat.stream) as run:
                make = partial(
                    answers, model=asked.chat.model, created_at=self._now(), counts_usage=asked.chat.wants_usage
                )
                text, reader = AnswerText(offer.ensemble), self._reader(request)
                answering = Answering(request, asked, make, text, headers=headers, reader=reader)
                return await answering.answer(run, self._keep_alive_s)
        except Unacceptable as e:
            return error_response(e.failure, headers)
        except EnsembleNotFound as e:
            return error_response(_not_offered(e), headers)
        except LlmOrcError as e:
            return error_response(self._failure(request, e), headers)
        except (ConnectionError, web.HTTPException):
            raise
        except Exception as e:  # noqa: BLE001 - the seam: one request's surprise ends that request
            return error_response(self._failure(request, as_error(e)), headers)

    async def _aside(
        self, request: web.Request, answers: Answers, asked: AskedFor, aside: Aside, headers: dict[str, str]
    ) -> web.StreamResponse:
        """Answer what a front end asks for itself; no model is asked."""
        headers[ASIDE_HEADER] = aside.kind
        name = f"aside-{id(request):x}"
        answer = answers(name, asked.chat.model, self._now(), counts_usage=asked.chat.wants_usage)
        outcome = Outcome(aside.answer, tokens=Tokens(0, 0, 0))
        if not asked.chat.stream:
            return json_response(answer.whole(outcome, ""), headers)
        response = await opened(request, headers)
        text = answer.text(aside.answer) if aside.answer else b""
        await response.write(answer.opening() + text + answer.closing(outcome))
        return response


def _not_offered(error: EnsembleNotFound) -> Failure:
    """Return what every client is told of a name that there is not: names that are offered are no secret."""
    return failure_of(error, Reader(is_owner=True, request_id=""))
