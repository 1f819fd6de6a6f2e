"""Local servers that answer: routes that need no setup."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.choice import ModelChoice
from llm_orc.app.access.route import Route
from llm_orc.auth.access import Billing
from llm_orc.auth.standing import Standing
from llm_orc.catalog.table import COMPATIBLE, PROVIDERS
from llm_orc.errors import LlmOrcError
from llm_orc.net.closed_ports import refuse_closed_port
from llm_orc.net.late_loop import start_loop
from llm_orc.net.transport import TransportError
from llm_orc.providers.endpoint import billing_of, endpoint_of
from llm_orc.providers.lookup import find_provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.catalog.rows import ProviderSpec
    from llm_orc.net.transport import Transport
    from llm_orc.providers.endpoint import Endpoint
    from llm_orc.settings.model import Settings

_USUAL_SERVERS = (
    ("lm-studio", "LM Studio on this machine", 1234),
    ("llama-server", "llama-server on this machine", 8080),
    ("vllm", "vLLM on this machine", 8000),
    ("jan", "Jan on this machine", 1337),
)
_NOT_FOR_CHAT = ("embed", "rerank", "whisper", "bge-")


async def find_local(settings: Settings, http: Transport) -> tuple[Route, ...]:
    """Ask the servers that this machine may run for their models."""
    found = []
    for spec, endpoint in _local_servers(settings):
        try:
            models = await _models_of(endpoint, http)
        except TransportError:
            continue  # nothing listens there
        usable = [m for m in models if not any(part in m.lower() for part in _NOT_FOR_CHAT)]
        model = spec.default_model or next(iter(usable), None)
        if model is not None and models:
            choice = ModelChoice(spec.name, model, named_by="nobody")
            found.append(_answering(choice, spec, f"{endpoint.origin} answers, {len(models)} models"))
    return tuple(found)


def _answering(choice: ModelChoice, spec: ProviderSpec, evidence: str) -> Route:
    standing = Standing("absent", "it needs no credential")
    return Route(choice, spec, "none", "nowhere", evidence, evidence, Billing.LOCAL, standing, is_used=True)


async def find_unnamed_servers(settings: Settings, http: Transport) -> tuple[Route, ...]:
    """Ask the usual ports of local servers that speak OpenAI's protocol, except those that a setting names."""
    named = {own.base_url.rstrip("/") for own in settings.providers.values() if own.base_url is not None}
    found = []
    for scope, title, port in _USUAL_SERVERS:
        name, address = f"{COMPATIBLE}/{scope}", f"http://127.0.0.1:{port}/v1"
        if address in named or name in settings.providers:
            continue
        spec = find_provider(name, settings.providers)
        try:
            models = await _models_of(endpoint_of(spec, settings.providers, address), http)
        except (TransportError, LlmOrcError):
            continue
        usable = [m for m in models if not any(part in m.lower() for part in _NOT_FOR_CHAT)]
        if usable:
            evidence = f"{address} answers, {len(models)} models"
            choice = ModelChoice(name, usable[0], named_by="nobody", base_url=address)
            found.append(_answering(choice, replace(spec, title=title), evidence))
    return tuple(found)


async def _models_of(endpoint: Endpoint, http: Transport) -> tuple[str, ...]:
    await refuse_closed_port(endpoint.base_url)  # most machines run none of these servers
    await start_loop()
    from llm_orc.providers.model_list import list_models  # noqa: PLC0415 - heavy: msgspec

    return await list_models(endpoint, http)


def _local_servers(settings: Settings) -> Iterator[tuple[ProviderSpec, Endpoint]]:
    for name in dict.fromkeys([*PROVIDERS, *settings.providers]):
        try:
            spec = find_provider(name, settings.providers)
            if spec.credential == "required" or spec.cli is not None:
                continue
            endpoint = endpoint_of(spec, settings.providers)
        except LlmOrcError:
            continue  # not usable as configured: agents that name it get the error
        if endpoint.is_loopback and billing_of(spec, endpoint) is Billing.LOCAL:
            yield spec, endpoint
