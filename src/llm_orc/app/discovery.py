"""The best access that this machine has, for agents that name no model: local first, then keys."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llm_orc.auth.access import Billing
from llm_orc.errors import LlmOrcError, NotLoggedIn
from llm_orc.net.transport import TransportError
from llm_orc.providers.catalog import PROVIDERS, billing_of, endpoint_of, find_provider, list_models

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from llm_orc.auth.credential import Entry
    from llm_orc.net.transport import Transport
    from llm_orc.providers.catalog import ProviderSpec
    from llm_orc.providers.endpoint import Endpoint
    from llm_orc.providers.official_cli.state import CliState
    from llm_orc.settings.model import Settings

_CLI_PROVIDERS = {"claude-cli": "anthropic-claude-pro-max", "codex-cli": "codex-cli"}
_USUAL_SERVERS = (
    ("lm-studio", "LM Studio on this machine", 1234),
    ("llama-server", "llama-server on this machine", 8080),
    ("vllm", "vLLM on this machine", 8000),
    ("jan", "Jan on this machine", 1337),
)
_NOT_FOR_CHAT = ("embed", "rerank", "whisper", "bge-")


@dataclass(frozen=True, slots=True)
class Found:
    """A provider that can be used now, who pays, and what shows that it is there."""

    provider: str
    title: str
    model: str | None
    billing: Billing
    evidence: str
    base_url: str | None = None  # where it was found, where no setting names it yet


async def find_best(
    settings: Settings,
    environ: Mapping[str, str],
    http: Transport,
    stored: Sequence[Entry],
    look: Callable[[str], Awaitable[CliState]],
) -> Found:
    """Return the best access there is: local, what the user signed in to, a logged-in official CLI, then keys and
    profiles that are just there.

    Raises `NotLoggedIn` where there is none.
    """
    local = await find_local(settings, http)
    if local:
        return local[0]
    for found in find_stored(settings, stored):
        return found
    async for found in find_clis(settings, look):
        return found
    for found in (*find_keys(settings, environ), *find_profiles(settings, stored)):
        return found
    raise NotLoggedIn(
        "no model can be reached: no local server answers, and there is no API key in the environment",
        hint="`llm-orc setup` shows every way to get access; `--rehearse` runs the ensemble without a model.",
    )


async def find_local(settings: Settings, http: Transport) -> tuple[Found, ...]:
    """Ask the servers that this machine may run which models they have."""
    found = []
    for spec, endpoint in _local_servers(settings):
        try:
            models = await list_models(endpoint, http)
        except TransportError:
            continue  # nobody listens there
        usable = [m for m in models if not any(part in m.lower() for part in _NOT_FOR_CHAT)]
        model = spec.default_model or next(iter(usable), None)
        if model is not None and models:
            found.append(
                Found(
                    spec.name, spec.title, model, Billing.LOCAL, f"{endpoint.origin} answers, {len(models)} models"
                )
            )
    return tuple(found)


async def find_unnamed_servers(settings: Settings, http: Transport) -> tuple[Found, ...]:
    """Ask the usual ports of local servers that speak OpenAI's protocol, but for those that a setting names."""
    named = {own.base_url.rstrip("/") for own in settings.providers.values() if own.base_url is not None}
    found = []
    for scope, title, port in _USUAL_SERVERS:
        name, address = f"openai-compatible/{scope}", f"http://127.0.0.1:{port}/v1"
        if address in named or name in settings.providers:
            continue
        spec = find_provider(name, settings.providers)
        try:
            models = await list_models(endpoint_of(spec, settings.providers, address), http)
        except (TransportError, LlmOrcError):
            continue
        usable = [m for m in models if not any(part in m.lower() for part in _NOT_FOR_CHAT)]
        if usable:
            evidence = f"{address} answers, {len(models)} models"
            found.append(Found(name, title, usable[0], Billing.LOCAL, evidence, address))
    return tuple(found)


def find_stored(settings: Settings, stored: Sequence[Entry]) -> Iterator[Found]:
    """Yield the providers of stored credentials, in their order."""
    for entry in stored:
        if entry.source != "ant-profile":
            yield from _of_entry(settings, entry, f"set up with `llm-orc auth add` (account `{entry.account}`)")


def find_profiles(settings: Settings, stored: Sequence[Entry]) -> Iterator[Found]:
    """Yield the providers of sign-ins that another tool made and keeps: nobody chose them here."""
    for entry in stored:
        if entry.source == "ant-profile":
            yield from _of_entry(settings, entry, f"profile `{entry.account}` of `ant auth login`")


async def find_clis(settings: Settings, look: Callable[[str], Awaitable[CliState]]) -> AsyncIterator[Found]:
    """Yield the providers whose official CLI is installed and logged in with a plan."""
    for name, provider in _CLI_PROVIDERS.items():
        state = await look(name)
        if state.problem is None:
            spec = find_provider(provider, settings.providers)
            own = settings.providers.get(provider)
            yield Found(
                provider, spec.title, own.default_model if own else None, Billing.SUBSCRIPTION, state.in_words
            )


def find_keys(settings: Settings, environ: Mapping[str, str]) -> Iterator[Found]:
    """Yield the providers whose API key stands in its usual environment variable."""
    for name in PROVIDERS:
        spec = find_provider(name, settings.providers)
        for variable in spec.api_key_env:
            if environ.get(variable, "").strip():
                evidence = f"environment variable {variable}"
                yield Found(spec.name, spec.title, spec.default_model, spec.billing, evidence)
                break


def _of_entry(settings: Settings, entry: Entry, evidence: str) -> Iterator[Found]:
    with suppress(LlmOrcError):  # of a provider that the settings no longer know
        spec = find_provider(entry.provider, settings.providers)
        if spec.default_model is not None:
            yield Found(spec.name, spec.title, spec.default_model, entry.billing, evidence)


def _local_servers(settings: Settings) -> Iterator[tuple[ProviderSpec, Endpoint]]:
    for name in dict.fromkeys(["ollama", *settings.providers]):
        try:
            spec = find_provider(name, settings.providers)
            if spec.credential == "required" or spec.cli is not None:
                continue
            endpoint = endpoint_of(spec, settings.providers)
        except LlmOrcError:
            continue  # not usable as configured: whoever names it is told so
        if endpoint.is_loopback and billing_of(spec, endpoint) is Billing.LOCAL:
            yield spec, endpoint
