"""The lists of models in each protocol's format, and the page that says what this server is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llm_orc.jsontypes import JsonValue
    from llm_orc.sandbox.plan_calls import PlanCalls

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MODELS = ("canned-small", "canned-large")
INDEX = """\
llm-orc sandbox: imitates model providers, for tests and rehearsals.
Every answer it gives is canned. No model is asked, nothing leaves this machine, any model name will do.

POST /v1/messages                                    Anthropic Messages
POST /v1/chat/completions                            OpenAI Chat Completions
POST /v1/responses                                   OpenAI Responses
POST /v1beta/models/MODEL:generateContent            Gemini
POST /v1beta/models/MODEL:streamGenerateContent      Gemini, with ?alt=sse
GET  /v1/models  /v1beta/models  /api/tags           the models it lists
GET  /oauth/authorize                                sign-in, where it was asked for; what there is for it:
GET  /.well-known/oauth-authorization-server
"""
_CREATED_AT = "2025-01-01T00:00:00Z"
_CREATED = 1_735_689_600


def add_lists(
    application: web.Application, guarded: Callable[[Handler], Handler], plan: PlanCalls | None = None
) -> None:
    """Add the routes of the lists; `guarded` wraps each handler with the checks that may refuse a request.

    Requests that `plan` concerns get the plan's own list.
    """

    async def v1_models(request: web.Request) -> web.StreamResponse:
        if plan is not None and plan.concern(request.headers):
            return web.json_response(plan.models(MODELS))
        return await _v1_models(request)

    application.router.add_get("/v1/models", guarded(v1_models))
    application.router.add_get("/v1/models/{model}", guarded(_v1_model))
    application.router.add_get("/v1beta/models", guarded(_gemini_models))
    application.router.add_get("/api/tags", guarded(_ollama_tags))


async def _v1_models(request: web.Request) -> web.Response:
    if "anthropic-version" in request.headers:
        return web.json_response(
            {
                "data": [_anthropic(model) for model in MODELS],
                "has_more": False,
                "first_id": MODELS[0],
                "last_id": MODELS[-1],
            }
        )
    return web.json_response({"object": "list", "data": [_openai(model) for model in MODELS]})


async def _v1_model(request: web.Request) -> web.Response:
    """Describe a model: any name is accepted, as in requests for answers."""
    model = request.match_info["model"]
    return web.json_response(_anthropic(model) if "anthropic-version" in request.headers else _openai(model))


async def _gemini_models(request: web.Request) -> web.Response:
    methods = ["generateContent"]
    models = [{"name": f"models/{model}", "supportedGenerationMethods": methods} for model in MODELS]
    return web.json_response({"models": models})


async def _ollama_tags(request: web.Request) -> web.Response:
    models = [
        {
            "name": f"{model}:latest",
            "model": f"{model}:latest",
            "modified_at": _CREATED_AT,
            "size": 0,
            "digest": "0" * 64,
            "details": {
                "format": "canned",
                "family": "canned",
                "parameter_size": "0",
                "quantization_level": "none",
            },
        }
        for model in MODELS
    ]
    return web.json_response({"models": models})


def _anthropic(model: str) -> dict[str, JsonValue]:
    return {"type": "model", "id": model, "display_name": f"{model} (llm-orc sandbox)", "created_at": _CREATED_AT}


def _openai(model: str) -> dict[str, JsonValue]:
    return {"id": model, "object": "model", "created": _CREATED, "owned_by": "llm-orc-sandbox"}
