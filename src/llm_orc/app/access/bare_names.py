"""The provider of a model that a user names alone, as in `-m llama3.2`.

It is the one provider to which there is access and that is known to have the model, from the user's profiles and
what this release knows of providers; else the server of the profile `default`, where anything may be served.
Several are an error. What bills per token is only used without a yes if a profile of the user names the provider.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.choice import DEFAULT_PROFILE, ModelChoice, choose_models
from llm_orc.agents.work import ModelRef, ModelWork
from llm_orc.app.access.choices import untrusted_words
from llm_orc.auth.access import Billing
from llm_orc.catalog.table import OFFICIAL_CLIS, PROVIDERS, is_alias
from llm_orc.errors import LlmOrcError, PlanCreditsNotAllowed, SettingsError
from llm_orc.net.late_loop import in_thread
from llm_orc.providers.lookup import find_provider
from llm_orc.providers.prices import sellers_of
from llm_orc.settings.profiles import find_profile
from llm_orc.storage.suggest import closest_names

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from llm_orc.app.access.best import Best
    from llm_orc.app.access.resolver import Resolver
    from llm_orc.app.access.route import Route
    from llm_orc.catalog.rows import ProviderSpec
    from llm_orc.providers.official_cli.state import CliState
    from llm_orc.settings.model import ModelProfile, Settings


class BareNames:
    """Finds providers for one run or command; equal names are looked up once.

    `look` returns the state of an official CLI, and `best` the best access where nothing names one.
    """

    def __init__(
        self,
        settings: Settings,
        resolver: Resolver,
        look: Callable[[str], Awaitable[CliState]],
        best: Callable[[], Awaitable[Best]],
    ) -> None:
        self._settings, self._resolver, self._look, self._best = settings, resolver, look, best
        self._found: dict[str, ModelChoice] = {}

    async def resolve(self, bare: ModelChoice) -> ModelChoice:
        """Return `bare` with its provider.

        Raises `SettingsError` if there is none, or more than one; the hint has each as it can be typed.
        """
        model = bare.model or ""
        if model not in self._found:
            self._found[model] = await self._provided(model)
        found = self._found[model]
        return replace(
            bare,
            provider=found.provider,
            named_by=found.named_by,
            named_in=found.named_in,
            base_url=found.base_url,
            api_key_env=found.api_key_env,
            api_key_file=found.api_key_file,
            auth_method=found.auth_method,
        )

    async def _provided(self, model: str) -> ModelChoice:
        known = await in_thread(self._known, model)
        accessible = [choice for choice in known if await self._is_accessible(choice)]
        if len(accessible) == 1:
            return accessible[0]
        if accessible:
            names = ", ".join(f"`{choice.provider}`" for choice in accessible)
            raise SettingsError(
                f"`{model}` is a model of several providers that you have access to: {names}",
                hint=_typed((choice.provider or "" for choice in accessible), model),
            )
        server = await self._server(model)
        if server is not None:
            return server
        if known:
            raise SettingsError(
                f"`{model}` is a model of {', '.join(f'`{choice.provider}`' for choice in known)}, and you have no"
                " access there",
                hint=f"Get access with `llm-orc auth add {known[0].provider}`, or name another provider:"
                f" `-m PROVIDER/{model}`.",
            )
        raise self._unknown(model)

    def _known(self, model: str) -> tuple[ModelChoice, ...]:
        """Return a choice for each provider that is known to have the model, without the network."""
        profiled = self._users_own()
        rows = list(self._rows())
        sellers = sellers_of(model, rows)
        names = [
            *(choice.provider for choice in profiled if choice.model == model),
            *(spec.name for spec in rows if model == spec.default_model or model in _documented(spec)),
            *sellers,
            *(s.name for s in rows if s.metered_sibling in sellers and model.startswith(s.sibling_models)),
        ]
        return tuple(_choice(name, model, profiled) for name in dict.fromkeys(names) if name is not None)

    def _users_own(self) -> list[ModelChoice]:
        """Return what the user's profiles name; no file of an untrusted project says where a model is."""
        choices = []
        for profile in self._settings.profiles.values():
            try:
                choices.append(self._choice_of(profile.name))
            except SettingsError:
                continue  # not usable as configured: what names it gets the error
        return [choice for choice in choices if choice.named_by == "user"]

    def _choice_of(self, profile: str) -> ModelChoice:
        work = ModelWork(ModelRef(profile=profile))
        return choose_models(work, None, self._profile, untrusted_words(None, self._settings))[0]

    def _profile(self, name: str) -> ModelProfile:
        return find_profile(self._settings, name)

    def _rows(self) -> Iterator[ProviderSpec]:
        for name in dict.fromkeys([*PROVIDERS, *self._settings.providers]):
            if name in PROVIDERS and is_alias(PROVIDERS[name]):
                continue
            try:
                yield find_provider(name, self._settings.providers)
            except LlmOrcError:
                continue  # not usable as configured: agents that name it get the error

    async def _is_accessible(self, choice: ModelChoice) -> bool:
        try:
            program = self._resolver.program_of(choice)
            cli = None if program is None else await self._look(program)
            routes = await in_thread(self._resolver.routes, choice, cli)
        except LlmOrcError:
            return False
        return any(route.is_used or _only_needs_a_yes(route) for route in routes)

    async def _server(self, model: str) -> ModelChoice | None:
        """Return the choice of the model at the server of the profile `default`, where anything may be served."""
        default = self._choice_of(DEFAULT_PROFILE)
        if default.named_by == "project":
            return None
        if default.provider is not None:
            spec = find_provider(default.provider, self._settings.providers)
            return replace(default, model=model) if await self._serves_anything(spec, default) else None
        try:
            best = (await self._best()).route
        except LlmOrcError:
            return None
        return replace(best.choice, model=model) if _is_local_server(best) else None

    async def _serves_anything(self, spec: ProviderSpec, choice: ModelChoice) -> bool:
        if spec.cli is not None:
            return False
        row = PROVIDERS.get(spec.name)
        if row is None or row.base_url is None:  # a server that only the user's settings describe
            return True
        return any(map(_is_local_server, await in_thread(self._resolver.routes, choice, None)))

    def _unknown(self, model: str) -> SettingsError:
        rows = list(self._rows())
        named: dict[str, dict[str, None]] = {}
        for provider, known in [
            *((choice.provider, choice.model) for choice in self._users_own()),
            *((spec.name, spec.default_model) for spec in rows if spec.is_offered),
        ]:
            if provider and known:
                named.setdefault(known, {})[provider] = None
        near = [f"`-m {whose}/{name}`" for name in closest_names(model, named) for whose in named[name]]
        default = self._choice_of(DEFAULT_PROFILE).provider
        usual = [f"`-m {default}/{model}`"] if default is not None else []
        forms = dict.fromkeys([*usual, *near])
        listed = f"Say whose it is, e.g. {' or '.join(forms)}." if forms else f"Say whose: `-m PROVIDER/{model}`."
        return SettingsError(
            f"`{model}` is neither a model profile nor a provider, and no provider is known to have such a model",
            hint=f"{listed} `llm-orc models list` shows what you have access to.",
        )


def _choice(provider: str, model: str, profiled: list[ModelChoice]) -> ModelChoice:
    """Return the choice of the model with a provider.

    The user's own profile of this very model has its address and key; otherwise they are the provider's own.
    """
    of_provider = [choice for choice in profiled if choice.provider == provider]
    exact = (choice for choice in of_provider if choice.model == model)
    return next(exact, ModelChoice(provider, model, named_by="user" if of_provider else "nobody"))


def _only_needs_a_yes(route: Route) -> bool:
    return not route.bar and isinstance(route.problem, PlanCreditsNotAllowed)


def _is_local_server(route: Route) -> bool:
    return route.is_used and route.billing is Billing.LOCAL and route.cli is None


def _documented(spec: ProviderSpec) -> tuple[str, ...]:
    row = OFFICIAL_CLIS.get(spec.cli or "")
    return () if row is None else row.models


def _typed(providers: Iterator[str], model: str) -> str:
    return f"Choose one: {', '.join(f'`-m {name}/{model}`' for name in providers)}."
