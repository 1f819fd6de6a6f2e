"""Which models each access of this machine offers: asked of the providers themselves, as a run would call them."""

from __future__ import annotations

import asyncio
from copy import copy
from typing import TYPE_CHECKING

from llm_orc.agents.choice import ModelChoice
from llm_orc.app.access.consent import Consent
from llm_orc.app.access.credentials import open_resolver
from llm_orc.app.access.finder import access_finder
from llm_orc.app.access.models import CliConnection, Model
from llm_orc.auth.access import Access, Billing
from llm_orc.catalog.table import OFFICIAL_CLIS, PROVIDERS, is_alias
from llm_orc.dataclass import dataclass
from llm_orc.errors import LlmOrcError
from llm_orc.net.closed_ports import refuse_closed_port
from llm_orc.net.http import Http
from llm_orc.net.transport import TransportError
from llm_orc.providers.endpoint import endpoint_of
from llm_orc.providers.lookup import find_provider
from llm_orc.providers.prices import usd_per_million

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llm_orc.app.access.finder import AccessFinder
    from llm_orc.app.access.resolver import Resolver
    from llm_orc.app.wiring import App
    from llm_orc.catalog.rows import ProviderSpec
    from llm_orc.net.transport import Transport
    from llm_orc.providers.model_list import ListedModel

_NO_MODEL = "any"  # a route is opened for a model; the list is the same for each
_UNTOLD = "it doesn't list its models; name any that it knows"
_SHORT_NAMES = "it doesn't list its models; these are names that its vendor documents"
_MORE = "the provider has more models than it lists at once"


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """A model as its provider lists it; `name` is for people, and may be empty.

    The prices are of a million tokens, in US dollars, from the price list; None: not known, or a plan pays.
    """

    model: str
    name: str = ""
    input_usd: float | None = None
    output_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What one access offers. `error` says why that is not known; `note` what else one should know of the list."""

    provider: str
    access: Access | None = None
    models: tuple[OfferedModel, ...] = ()
    default: str | None = None  # the model that is used if nothing names one
    note: str = ""
    error: LlmOrcError | None = None


async def offers(app: App, provider: str | None = None) -> tuple[Offer, ...]:
    """Ask all providers to which there is access, or one. Nothing that costs is sent, so nobody has to agree.

    One that can't be asked is in the list, with its error. Raises `SettingsError` for an unknown `provider`.
    """
    if provider is not None:
        find_provider(provider, app.settings.providers)
    async with (
        Http(app.settings.network, max_connections=8) as http,
        access_finder(app, http, consent=Consent(allow_metered=True)) as finder,
    ):
        names = [provider] if provider is not None else [name async for name in _names(app, finder)]
        opened = [await _open(finder, name) for name in names]
        return tuple(await asyncio.gather(*(_offer(app, one, http) for one in opened)))


async def _names(app: App, finder: AccessFinder) -> AsyncIterator[str]:
    """Yield the providers with a credential, a program that is installed, or a server that listens."""
    resolver = open_resolver(app)
    for name in dict.fromkeys([*PROVIDERS, *app.settings.providers, *resolver.stored_providers()]):
        try:
            spec = find_provider(name, app.settings.providers)
            if not is_alias(spec) and await _is_there(app, finder, resolver, spec):
                yield name
        except (LlmOrcError, TransportError):
            continue  # not usable as configured, or nothing listens: asking for it by name says why


async def _is_there(app: App, finder: AccessFinder, resolver: Resolver, spec: ProviderSpec) -> bool:
    choice = ModelChoice(spec.name, None, named_by="user")
    program = resolver.program_of(choice)
    cli = None if program is None else await finder.look(program)
    if cli is not None and cli.path is not None:
        return True
    routes = await asyncio.to_thread(resolver.routes, choice, cli)
    if any(route.found is not None for route in routes):
        return True
    if spec.credential == "required" or spec.cli is not None:
        return False
    await refuse_closed_port(endpoint_of(spec, app.settings.providers).base_url)
    return True


async def _open(finder: AccessFinder, name: str) -> Model | Offer:
    """Return the way to the provider that a run would take, or an offer with the error of that run."""
    try:
        found = await finder.find_all({name: [ModelChoice(name, _NO_MODEL, named_by="user")]})
    except LlmOrcError as e:
        return Offer(name, error=_of_list(e, name))
    return found.by_agent[name][0]


def _of_list(error: LlmOrcError, name: str) -> LlmOrcError:
    """Return the error without the agent that stands for the list."""
    alone = copy(error)
    alone.message = error.message.removesuffix(f" (agent `{name}`)")
    alone.args = (alone.message,)
    return alone


async def _offer(app: App, opened: Model | Offer, http: Transport) -> Offer:
    if isinstance(opened, Offer):
        return opened
    access = opened.access
    spec = find_provider(access.provider, app.settings.providers)
    if isinstance(opened.connection, CliConnection):
        return _of_program(access, opened.connection)
    from llm_orc.providers.model_list import ask_models  # noqa: PLC0415 - heavy: a dialect

    try:
        found = await ask_models(opened.connection.endpoint, opened.connection.authoriser, http)
    except LlmOrcError as e:
        return Offer(access.provider, access, default=spec.default_model, error=e)
    models = tuple(_priced(access, one) for one in found.models)
    return Offer(access.provider, access, models, spec.default_model, "" if found.is_whole else _MORE)


def _of_program(access: Access, connection: CliConnection) -> Offer:
    from llm_orc.providers.model_list import models_in  # noqa: PLC0415 - heavy: a dialect

    row = OFFICIAL_CLIS[connection.state.name]
    found = models_in(connection.state.models.encode()) if connection.state.models else None
    if found is not None and found.models:
        return Offer(access.provider, access, tuple(OfferedModel(one.model, one.name) for one in found.models))
    names = tuple(OfferedModel(name) for name in row.models)
    return Offer(access.provider, access, names, note=_SHORT_NAMES if names else _UNTOLD)


def _priced(access: Access, listed: ListedModel) -> OfferedModel:
    """A price list says nothing of what a plan pays, and this machine's own servers cost nothing."""
    if access.billing is Billing.LOCAL:
        return OfferedModel(listed.model, listed.name, 0.0, 0.0)
    if access.billing is not Billing.METERED:
        return OfferedModel(listed.model, listed.name)
    price = usd_per_million(access.provider, listed.model)
    return OfferedModel(listed.model, listed.name, *(price or ()))
