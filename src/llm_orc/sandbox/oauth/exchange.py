"""Handle a request to an endpoint that clients call: read it, apply its fault, process it, answer in JSON."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from llm_orc.sandbox.faults import Delay, Garbage, Hang, Status
from llm_orc.sandbox.oauth.faults import Altered, Dropped, LateAnswer, LostAnswer, OAuthError, SentElsewhere
from llm_orc.sandbox.oauth.grants import OAuthProblem
from llm_orc.sandbox.respond import hang

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llm_orc.jsontypes import JsonValue
    from llm_orc.sandbox.oauth.faults import OAuthEffect

_GATEWAY_PAGE = "<html><head><title>503 Service Unavailable</title></head><body>upstream</body></html>"


async def parameters_of(request: web.Request) -> dict[str, str]:
    """Return the fields of a form or a JSON object as text. Raises `OAuthProblem`, also for a repeated one."""
    if request.content_type == "application/json":
        try:
            body = msgspec.json.decode(await request.read())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise OAuthProblem("invalid_request", "the body is not valid JSON") from error
        if not isinstance(body, dict):
            raise OAuthProblem("invalid_request", "the body is not a JSON object")
        return {name: str(value) for name, value in body.items() if value is not None}
    if request.content_type != "application/x-www-form-urlencoded":
        raise OAuthProblem("invalid_request", f"unsupported content type {request.content_type}")
    form = await request.post()
    if len(form) != len(set(form)):
        raise OAuthProblem("invalid_request", "a parameter stands twice (RFC 6749 §3.2)")
    return {name: str(value) for name, value in form.items()}


async def answered(
    request: web.Request,
    effect: OAuthEffect | None,
    headers: Mapping[str, str],
    work: Callable[[], Mapping[str, JsonValue] | None],
) -> web.StreamResponse:
    """Answer with what `work` returns (None: an empty 200), after applying the fault.

    `work` isn't interrupted, so a client that disconnects can't leave it half done.
    """
    replaced = await _before(request, effect, headers)
    if replaced is not None:
        return replaced
    status = 200
    document: Mapping[str, JsonValue] | None
    try:
        document = work()
    except OAuthProblem as problem:
        status = problem.status
        document = {"error": problem.error, "error_description": problem.description}
    return await _after(request, effect, headers, status, document)


async def _before(
    request: web.Request, effect: OAuthEffect | None, headers: Mapping[str, str]
) -> web.Response | None:
    match effect:
        case Status():
            return _status(effect, headers)
        case Garbage(body=body):
            return web.Response(text=body, content_type="text/html", headers=headers)
        case SentElsewhere(location=location, status=status):
            return web.Response(status=status, headers={**headers, "location": location})
        case OAuthError(error=error, description=description, status=status):
            document = {"error": error, "error_description": description}
            return web.json_response(document, status=status, headers=headers)
        case Dropped():
            return _closed(request)
        case Delay(seconds=seconds):
            await asyncio.sleep(seconds)
        case Hang():
            await hang()
        case _:
            pass
    return None


async def _after(
    request: web.Request,
    effect: OAuthEffect | None,
    headers: Mapping[str, str],
    status: int,
    document: Mapping[str, JsonValue] | None,
) -> web.Response:
    match effect:
        case LostAnswer():
            return _closed(request)
        case LateAnswer(seconds=seconds):
            await asyncio.sleep(seconds)
        case Altered(fields=fields):
            changed = {**(document or {}), **fields}
            document = {name: value for name, value in changed.items() if value is not None}
        case _:
            pass
    if document is None:
        return web.Response(status=status, headers=headers)
    body = msgspec.json.encode(document)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _status(effect: Status, headers: Mapping[str, str]) -> web.Response:
    """Return the answer of a status fault: 5xx in HTML, as from a gateway; 429 as from Anthropic's endpoint."""
    headers = dict(headers)
    if effect.retry_after_s is not None:
        headers["retry-after"] = f"{effect.retry_after_s:g}"
    if effect.body is not None:
        return web.Response(status=effect.status, text=effect.body, headers=headers)
    if effect.status >= 500:
        return web.Response(status=effect.status, text=_GATEWAY_PAGE, content_type="text/html", headers=headers)
    error = {"type": "rate_limit_error", "message": "Rate limited. Please try again later."}
    body = msgspec.json.encode({"error": error} if effect.status == 429 else {"error": "invalid_request"})
    return web.Response(status=effect.status, body=body, content_type="application/json", headers=headers)


def _closed(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response()
