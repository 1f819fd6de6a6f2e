"""The ranked routes of a choice of model: the one decision that runs and all views share.

The order: what the agent or profile names, what the configuration prefers, what the user set up, the provider's
own program, and last what was only found. A run takes the first route that may be taken. Nothing that costs more
replaces a route that can't be used, unless the user has allowed that.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.app.access.consent import plan_credits_error, unattended_error
from llm_orc.app.access.missing import elsewhere_error, missing_error
from llm_orc.app.access.ranking import barred, marked, stepping_in
from llm_orc.app.access.route import Route
from llm_orc.auth.access import Billing
from llm_orc.auth.sources.configured import in_configuration
from llm_orc.auth.sources.source import Places, Wanted
from llm_orc.auth.sources.table import SOURCES, find_credentials
from llm_orc.auth.standing import Standing
from llm_orc.errors import AuthError, CredentialStoreError, LlmOrcError
from llm_orc.providers.endpoint import billing_of, endpoint_of
from llm_orc.providers.lookup import find_provider, official_clis, program_billing, provider_settings
from llm_orc.settings.model import ProviderSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llm_orc.agents.choice import ModelChoice
    from llm_orc.app.access.consent import Paying
    from llm_orc.auth.sources.source import FoundCredential
    from llm_orc.catalog.rows import OfficialCliRow, ProviderSpec
    from llm_orc.providers.endpoint import Endpoint
    from llm_orc.providers.official_cli.state import CliState
    from llm_orc.settings.model import AuthMethodName

_WHY_PROGRAM = "it is the provider's own program, the supported access"


class Resolver:
    """Reads all sources again for each question. Uses no network."""

    def __init__(
        self, providers: Mapping[str, ProviderSettings], places: Places, *, is_attended: bool = False
    ) -> None:
        self._providers, self._places = providers, places
        self._is_attended = is_attended

    def routes(
        self,
        choice: ModelChoice,
        cli: CliState | None = None,
        *,
        paying: Paying = "agreed",
        plans: frozenset[str] = frozenset(),
    ) -> tuple[Route, ...]:
        """Return the routes of `choice`, whose provider is named, first those that a run considers, in its order.

        `cli` is the state of the provider's own program; None: it was not examined, and is no route. A plan that
        passes into credits can't be used without its user's yes, which those of `plans` have, nor a provider for
        interactive use without a person at the terminal. Raises `SettingsError` for an unknown provider.
        """
        assert choice.provider is not None
        spec = find_provider(choice.provider, self._providers)
        there = tuple(self._there(choice, spec, cli))
        taken = [self._permitted(route, paying, plans) for route in self._taken(choice, spec, there, paying)]
        used = {id(route.cli or route.found) for route in taken}
        others = [route for route in there if id(route.cli or route.found) not in used]
        names = {method for method, _, _ in self._methods(choice, spec)}
        return marked((*taken, *barred(others, taken, spec, names)))

    def program_of(self, choice: ModelChoice) -> str | None:
        """Return the official CLI that may be a route of `choice`, so that it is examined only if it matters."""
        assert choice.provider is not None
        spec = find_provider(choice.provider, self._providers)
        methods = [method for method, _, _ in self._methods(choice, spec)]
        return spec.cli if not methods or spec.cli in methods else None

    def stored_providers(self) -> tuple[str, ...]:
        """Return the providers with stored credentials, as far as that is known without the store's key."""
        storage = self._places.storage
        try:
            names = [*storage.providers, *storage.older_providers]
        except CredentialStoreError:
            names = [*storage.older_providers]
        return tuple(dict.fromkeys(names))

    def _there(self, choice: ModelChoice, spec: ProviderSpec, cli: CliState | None) -> Iterator[Route]:
        found = [self._over_http(choice, spec, one) for one in self._found(choice, spec)]
        yield from (route for route in found if route.is_set_up)
        if spec.cli is not None and cli is not None:
            yield _program_route(choice, spec, cli, official_clis(self._providers)[cli.name])
        yield from (route for route in found if not route.is_set_up)

    def _found(self, choice: ModelChoice, spec: ProviderSpec) -> tuple[FoundCredential, ...]:
        """Return the credentials that there are for the choice.

        If it names a key, that is the only one. If it has an address of its own, only a key that it names is sent
        there.
        """
        own = self._own(spec)
        named = Path(choice.api_key_file) if choice.api_key_file else None
        origin = self._origin(choice, spec)
        if (choice.api_key_env or named) and spec.cli is None:
            wanted = Wanted(spec.name, origin, variable=choice.api_key_env, file=named)
            return tuple(in_configuration(wanted, self._places))
        if choice.base_url is not None and not self._is_at_home(choice.base_url, spec):
            return ()
        oauth = own.oauth
        # Other programs read these variables too: without an address in the settings, the key may not be for us.
        is_source_named = bool(own.api_key_env or own.api_key_file)
        usual = () if is_source_named or not (choice.base_url or spec.base_url) else spec.api_key_env
        return find_credentials(
            Wanted(
                spec.name,
                origin,
                usual,
                own.api_key_env,
                own.api_key_file,
                oauth.client_id if oauth else None,
                can_exchange=oauth is not None and bool(oauth.token_endpoint or oauth.issuer),
                command=own.token_command,
                is_plan=spec.metered_sibling is not None or spec.cli is not None,
                required_scopes=oauth.required_scopes if oauth else (),
            ),
            self._places,
        )

    def _over_http(self, choice: ModelChoice, spec: ProviderSpec, found: FoundCredential) -> Route:
        problem: LlmOrcError | None = found.standing.problem
        endpoint: Endpoint | None = None
        try:
            endpoint = endpoint_of(spec, self._providers, choice.base_url, has_credential=True)
        except LlmOrcError as e:
            problem = problem or e
        entry = found.entry
        if entry is not None and endpoint is not None and entry.origin not in {None, endpoint.origin}:
            whose = f"the {found.label} of `{spec.name}` belongs to `{entry.origin}`"
            problem = problem or AuthError(
                f"{whose} and is not sent to `{endpoint.origin}`",
                hint=f"llm-orc auth add {spec.name}",
            )
        return Route(
            choice,
            spec,
            found.kind,
            found.place,
            found.where,
            found.label,
            self._billing(spec, found, endpoint),
            found.standing,
            why=SOURCES[found.place].why,
            problem=problem,
            is_set_up=found.is_set_up,
            found=found,
            origin=(entry.origin if entry is not None else None) or self._origin(choice, spec),
        )

    def _billing(self, spec: ProviderSpec, found: FoundCredential, endpoint: Endpoint | None) -> Billing:
        """Return who pays. If the stored entry and the configuration differ, the one that may cost more counts."""
        entry, oauth = found.entry, self._own(spec).oauth
        if entry is not None and entry.source == "ant-profile":
            return entry.billing
        if found.kind == "oauth" and oauth is not None and oauth.billing is not None:
            today = Billing(oauth.billing)
        else:
            today = spec.billing if endpoint is None else billing_of(spec, endpoint)
        if entry is None or not entry.is_set_up:
            return today
        return max(entry.billing, today, key=lambda billing: billing.expense)

    def _permitted(self, route: Route, paying: Paying, plans: frozenset[str]) -> Route:
        """Return the route, with a problem if it needs a person, or its user's yes, and there is none."""
        if not self._is_attended and (error := unattended_error(route.spec)) is not None:
            return replace(route, problem=error)
        if route.billing is not Billing.PLAN_CREDITS or route.problem is not None:
            return route
        if paying in {"plan", "always"} or route.spec.name in plans:
            return route
        own = provider_settings(route.spec.name, self._providers)
        if own is not None and own.allow_plan_credits:
            return route
        return replace(route, problem=plan_credits_error(route.spec.name, route.label))

    def _taken(
        self, choice: ModelChoice, spec: ProviderSpec, there: Sequence[Route], paying: Paying
    ) -> Iterator[Route]:
        own = self._own(spec)
        methods = self._methods(choice, spec)
        if spec.credential == "none" and spec.cli is None:
            yield self._without_credential(choice, spec)
            return
        if not methods:
            yield from self._usual(choice, spec, there)
        for method, why, is_agreed in methods:
            yield from self._by_method(choice, spec, there, method, why, is_agreed=is_agreed)
        is_fallback_allowed = own.allow_metered_fallback or paying == "always"
        if choice.auth_method is None and is_fallback_allowed and "api-key" not in own.auth_methods:
            setting = f"`providers.{spec.name}.allow_metered_fallback`"
            why = f"{setting if own.allow_metered_fallback else '--allow-metered'} allows it if nothing else works"
            yield from self._of_sibling(choice, spec, why, is_agreed=choice.named_by != "project")

    def _methods(self, choice: ModelChoice, spec: ProviderSpec) -> list[tuple[AuthMethodName, str, bool]]:
        """Return the named auth methods in order, each with the reason and whether the user agreed to it."""
        if choice.auth_method is not None:
            by = f"profile `{choice.profile}`" if choice.profile else "the agent"
            return [(choice.auth_method, f"{by} names it", choice.named_by != "project")]
        why = f"`providers.{spec.name}.auth_method` puts it"
        is_users = choice.named_by != "project"
        return [
            (m, f"{why} {'next' if i else 'first'}", is_users) for i, m in enumerate(self._own(spec).auth_methods)
        ]

    def _usual(self, choice: ModelChoice, spec: ProviderSpec, there: Sequence[Route]) -> Iterator[Route]:
        if spec.cli is not None:
            # A plan has no keys of its own: it never pays for calls with a key.
            routes = [route for route in there if route.is_active and route.method != "api-key"]
            yield from stepping_in(routes, is_plan=True)
            return
        routes = [route for route in there if route.is_active]
        if routes:
            yield from stepping_in(routes)
        elif spec.credential == "required":
            yield self._missing(choice, spec, None)
        else:
            yield self._without_credential(choice, spec)

    def _by_method(
        self,
        choice: ModelChoice,
        spec: ProviderSpec,
        there: Sequence[Route],
        method: AuthMethodName,
        why: str,
        *,
        is_agreed: bool,
    ) -> Iterator[Route]:
        if method == "api-key" and spec.metered_sibling is not None:
            yield from self._of_sibling(choice, spec, why, is_agreed=is_agreed)
            return
        is_unclear = {None} if method in {"api-key", "oauth"} else set()
        routes = [route for route in there if route.method in {method, *is_unclear}]
        if method == "api-key" and (named := [route for route in routes if route.place == "configuration"]):
            routes = named
        active = [route for route in routes if route.is_active] or routes[:1]
        if not routes and method == spec.cli:
            return  # it was not examined
        taken = list(stepping_in(active)) or [self._missing(choice, spec, method)]
        yield from (replace(route, why=why, is_agreed=is_agreed) for route in taken)

    def _of_sibling(
        self, choice: ModelChoice, spec: ProviderSpec, why: str, *, is_agreed: bool
    ) -> Iterator[Route]:
        """Yield the routes over keys of the metered sibling, for a provider that has no keys of its own."""
        if spec.metered_sibling is None:
            return
        sibling = find_provider(spec.metered_sibling, self._providers)
        knows_model = (choice.model or "").startswith(spec.sibling_models)
        other = replace(choice, provider=sibling.name, model=choice.model if knows_model else None)
        there = tuple(self._there(other, sibling, None))
        yield from self._by_method(other, sibling, there, "api-key", why, is_agreed=is_agreed)

    def _without_credential(self, choice: ModelChoice, spec: ProviderSpec) -> Route:
        problem, billing = None, spec.billing
        try:
            billing = billing_of(spec, endpoint_of(spec, self._providers, choice.base_url, has_credential=False))
        except LlmOrcError as e:
            problem = e
        words = "no credential needed"
        standing = Standing("absent", "it needs no credential")
        if problem is not None:
            standing = Standing("absent", problem.message, problem.hint, problem)
        return Route(choice, spec, "none", "nowhere", words, words, billing, standing, words, problem=problem)

    def _missing(self, choice: ModelChoice, spec: ProviderSpec, method: AuthMethodName | None) -> Route:
        is_elsewhere = choice.base_url is not None and not self._is_at_home(choice.base_url, spec)
        error: LlmOrcError
        if is_elsewhere:
            error = elsewhere_error(choice)
        elif (no_address := self._no_address(choice, spec)) is not None:
            error = no_address
        else:
            error = missing_error(spec, self._own(spec), method, self._places.ant)
        standing = Standing("absent", error.message, error.hint, error)
        return Route(choice, spec, method, "nowhere", "nowhere", "nowhere", spec.billing, standing, problem=error)

    def _no_address(self, choice: ModelChoice, spec: ProviderSpec) -> LlmOrcError | None:
        """Return the error for a provider whose address is not set; without an address, a key is useless."""
        if choice.base_url or spec.base_url or spec.cli is not None:
            return None
        try:
            endpoint_of(spec, self._providers)
        except LlmOrcError as e:
            return e
        return None

    def _own(self, spec: ProviderSpec) -> ProviderSettings:
        return self._providers.get(spec.name) or ProviderSettings(spec.name)

    def _origin(self, choice: ModelChoice, spec: ProviderSpec) -> str:
        try:
            return endpoint_of(spec, self._providers, choice.base_url, has_credential=False).origin
        except LlmOrcError:
            return ""  # the route itself reports what is wrong with its address

    @staticmethod
    def _is_at_home(base_url: str, spec: ProviderSpec) -> bool:
        if spec.base_url is None:
            return False
        return endpoint_of(spec, {}, base_url).origin == endpoint_of(spec, {}).origin


def _program_route(choice: ModelChoice, spec: ProviderSpec, cli: CliState, row: OfficialCliRow) -> Route:
    if cli.problem is not None:
        standing = Standing("absent", cli.problem.message, cli.problem.hint, cli.problem)
    elif cli.login == "unknown":
        standing = Standing("unverified", "it does not report its login; `llm-orc auth test` tries it")
    else:
        standing = Standing("unverified", "it reports that it is logged in; `llm-orc auth test` proves it")
    return Route(
        choice,
        spec,
        spec.cli,
        "program",
        cli.in_words,
        cli.in_words,
        program_billing(spec, row),
        standing,
        _WHY_PROGRAM,
        problem=cli.problem,
        cli=cli,
    )
