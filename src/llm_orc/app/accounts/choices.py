"""The kinds of access that a person can choose between: every provider with its auth methods, in groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.accounts.auth_methods import open_provider
from llm_orc.auth.access import Billing
from llm_orc.catalog.table import PROVIDERS, is_alias
from llm_orc.dataclass import dataclass
from llm_orc.errors import LlmOrcError
from llm_orc.providers.lookup import official_clis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.app.accounts.auth_methods import AuthMethod, AuthProvider
    from llm_orc.app.wiring import App
    from llm_orc.settings.model import AuthMethodName

Group = Literal["found", "key", "sign-in", "plan", "program", "local"]
GROUPS: tuple[Group, ...] = get_args(Group)


@dataclass(frozen=True, slots=True)
class AccessChoice:
    """One auth method of one provider.

    `method` None: a server of this machine, which needs none. `variable` is where its key was found.
    """

    group: Group
    provider: AuthProvider
    method: AuthMethod | None = None
    variable: str = ""


def access_choices(app: App, method: AuthMethodName | None = None) -> tuple[AccessChoice, ...]:
    """Return all kinds of access, or those of one auth method: what is found on this machine first.

    Nobody is asked, and no program is started.
    """
    choices = [choice for provider in _providers(app) for choice in _choices_of(app, provider)]
    if method is not None:
        choices = [choice for choice in choices if choice.method is not None and choice.method.name == method]
    return tuple(sorted(choices, key=_rank))


def _rank(choice: AccessChoice) -> tuple[int, int]:
    """By group; of the plans, those with an official program come first, then those with a sign-in."""
    name = choice.method.name if choice.method is not None else ""
    return GROUPS.index(choice.group), 2 if name == "api-key" else int(name == "oauth")


def with_several_methods(app: App) -> tuple[AuthProvider, ...]:
    """Return the providers between whose auth methods one can choose."""
    return tuple(provider for provider in _providers(app) if len(provider.methods) > 1)


def _providers(app: App) -> Iterator[AuthProvider]:
    for name in dict.fromkeys([*PROVIDERS, *app.settings.providers]):
        row = PROVIDERS.get(name)
        own = app.settings.providers.get(name)
        is_described = own is not None and own.base_url is not None
        if row is not None and (is_alias(row) or not (row.is_offered or is_described)):
            continue
        try:
            yield open_provider(app, name)
        except LlmOrcError:
            continue  # an incomplete description: `auth add NAME` says what it lacks


def _choices_of(app: App, provider: AuthProvider) -> Iterator[AccessChoice]:
    spec = provider.spec
    for method in provider.methods:
        if method.name == "token-command" or (method.name == "api-key" and spec.metered_sibling is not None):
            continue  # the configuration has set it up; the sibling has its own row
        if method.name == spec.cli:
            of_plan = official_clis(app.settings.providers)[method.name].proves_login
            yield AccessChoice("found" if method.is_ready else "plan" if of_plan else "program", provider, method)
        elif method.billing in {Billing.SUBSCRIPTION, Billing.PLAN_CREDITS}:
            yield AccessChoice("plan", provider, method)
        elif method.name == "oauth":
            yield AccessChoice("sign-in", provider, method)
        else:
            yield AccessChoice("key", provider, method)
            yield from _in_environment(app, provider, method)
    if not provider.methods and spec.start_hint:
        yield AccessChoice("local", provider)


def _in_environment(app: App, provider: AuthProvider, method: AuthMethod) -> Iterator[AccessChoice]:
    """A key in a variable can be used as it is; adding it stores it encrypted and makes it the user's choice."""
    variable = next((name for name in provider.spec.api_key_env if app.environment.environ.get(name)), None)
    storage = open_credentials(app)
    is_stored = storage.state.is_usable and storage.get(provider.name) is not None
    if variable is not None and not is_stored:
        yield AccessChoice("found", provider, method, variable)
