"""Get a credential for a provider and store it: an API key that the user enters, or a sign-in."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.accounts.registration import keep_client, request_of
from llm_orc.auth.credential import ApiKey, OAuthToken, new_entry
from llm_orc.auth.methods.api_key import checked_key
from llm_orc.auth.methods.browser import browser_chances
from llm_orc.auth.methods.browser_visit import LIMIT_S, VisitOptions
from llm_orc.auth.methods.oauth_browser import BrowserLogin
from llm_orc.auth.methods.oauth_device import DeviceLogin
from llm_orc.auth.methods.openrouter import OpenRouterLogin
from llm_orc.auth.methods.spend_cap import SpendCap
from llm_orc.auth.standing import ungranted
from llm_orc.catalog.table import supported_way
from llm_orc.dataclass import dataclass
from llm_orc.errors import AccessNotSupported, AccessRefused, CredentialStoreError, InputError
from llm_orc.net.http import Http
from llm_orc.providers.endpoint import billing_of, endpoint_of

if TYPE_CHECKING:
    from llm_orc.app.accounts.auth_methods import AuthMethod, AuthProvider, SignInPlace
    from llm_orc.app.wiring import App
    from llm_orc.auth.credential import Entry
    from llm_orc.auth.methods.base import Ask, Login, LoginMethod
    from llm_orc.auth.secret import Secret
    from llm_orc.net.transport import Transport
    from llm_orc.providers.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class SignInOptions:
    """`device`: with a code on any other device; `no_browser`: only show the page's address; `cap`: ask for it.

    `consent`: the provider asks for all permissions again.
    """

    account: str | None = None
    device: bool = False
    no_browser: bool = False
    consent: bool = False
    acknowledge_terms: bool = False
    limit_s: float = LIMIT_S
    cap: SpendCap | None = None


def place_for_key(app: App, provider: AuthProvider) -> Endpoint:
    """Return where a key would be sent. Raises `AccessNotSupported`, `SettingsError`: ask for no key before."""
    provider.method("api-key")
    spec = provider.spec
    if spec.metered_sibling is not None:
        raise AccessNotSupported(
            f"`{spec.name}` is paid for by a plan and has no keys of its own",
            hint=f"A key is metered (billed per token). Add one with `llm-orc auth add {spec.metered_sibling}`,"
            f" and allow it here with `llm-orc auth prefer {spec.name} api-key`.",
        )
    return endpoint_of(spec, app.settings.providers, has_credential=True)


def add_api_key(
    app: App,
    provider: AuthProvider,
    key: Secret,
    *,
    account: str | None = None,
    acknowledge_terms: bool = False,
    is_proven: bool = False,
) -> Entry:
    """Keep a key without asking its provider whether it works. It is sent to the provider's present address only.

    `is_proven`: the provider has just accepted it.

    Raises `AccessNotSupported`, `InputError` if terms are not acknowledged, `KeyMalformed` for what can't be a
    key, `SettingsError`, `CredentialStoreError`.
    """
    spec, endpoint = provider.spec, place_for_key(app, provider)
    method = provider.method("api-key")
    refuse_without_yes(provider, method, acknowledged=acknowledge_terms)
    entry = new_entry(spec.name, account, checked_key(key, origin=endpoint.origin), billing_of(spec, endpoint))
    now = app.clock.now()
    return open_credentials(app).keep(
        replace(
            entry,
            origin=endpoint.origin,
            terms_acknowledged_at=now if method.notice is not None else None,
            proven_at=now if is_proven else None,
        )
    )


def refuse_without_yes(provider: AuthProvider, method: AuthMethod, *, acknowledged: bool) -> None:
    """Raise `InputError` for terms that a person has not agreed to."""
    if method.notice is not None and not acknowledged:
        raise InputError(
            f"`{provider.name}` has terms that need your explicit yes: {method.notice.text}"
            f" ({method.notice.link}, as of {method.notice.date})",
            hint="Say it with `--acknowledge-terms`.",
        )


async def sign_in(app: App, provider: AuthProvider, ask: Ask, options: SignInOptions) -> Login:
    """Sign in at the provider; nothing is stored yet, so an interruption changes nothing here.

    Raises `LoginFailed`, `AccessNotSupported` if a client id is missing, `InputError` if terms are not
    acknowledged, `CredentialStoreError` if the result can't be stored.
    """
    method = provider.method("oauth")
    assert method.sign_in is not None  # as that of every method `oauth`
    if not method.sign_in.has_client:
        raise _no_client(provider.name, method)
    refuse_without_yes(provider, method, acknowledged=options.acknowledge_terms)
    endpoint = endpoint_of(provider.spec, app.settings.providers, has_credential=True)
    _refuse_unusable_store(app)
    async with Http(app.settings.network, max_connections=4) as http:
        return await _login_method(app, method.sign_in, http, options, endpoint).log_in(ask)


def keep_login(app: App, provider: AuthProvider, login: Login, options: SignInOptions) -> Entry:
    """Store the result of a sign-in, with the time at which its terms were acknowledged."""
    method = provider.method("oauth")
    origin = endpoint_of(provider.spec, app.settings.providers, has_credential=True).origin
    storage = open_credentials(app)
    match login.credential:
        case ApiKey(key=key):
            return storage.store_api_key(
                provider.name,
                key,
                account=options.account,
                billing=method.billing,
                origin=origin,
                label=login.label,
                spend_cap=login.spend_cap,
            )
        case OAuthToken() as token:
            token = replace(token, issued_at=app.clock.now(), scopes=tuple(login.scopes))
            entry = replace(
                new_entry(provider.name, options.account, token, method.billing),
                origin=origin,
                label=login.label,
                subject=login.subject,
                terms_acknowledged_at=app.clock.now() if method.notice is not None else None,
            )
            kept = storage.keep(entry)
            client = method.sign_in.client if method.sign_in is not None else None
            if client is not None and client.registers_client and token.client_id is not None:
                keep_client(app, client, kept.account, token.client_id, subject=login.subject)
            return kept


def lacking_permissions(provider: AuthProvider, entry: Entry) -> AccessRefused | None:
    """Return the error of a sign-in that was not granted what every call needs; None: it was."""
    place = provider.method("oauth").sign_in
    lacking = ungranted(entry, place.settings.required_scopes) if place is not None else None
    problem = lacking.problem if lacking is not None else None
    assert problem is None or isinstance(problem, AccessRefused)
    return problem


def _login_method(
    app: App, place: SignInPlace, http: Transport, options: SignInOptions, endpoint: Endpoint
) -> LoginMethod:
    client = place.client
    around = app.environment
    chances = browser_chances(around.environ, around.platform, shutil.which, os.path.exists)
    visit = VisitOptions(client.provider, chances, no_browser=options.no_browser, limit_s=options.limit_s)
    if place.settings.kind == "openrouter":
        if options.device:
            raise AccessNotSupported(f"`{client.provider}` offers no device code", hint="Leave `--device` out.")
        key_url = f"{endpoint.base_url}/key"
        return OpenRouterLogin(client, http, visit, options.cap, key_url, app.clock.now)
    if options.cap is not None:
        raise AccessNotSupported(
            f"`{client.provider}` offers no spend cap at its sign-in",
            hint="Leave `--limit` and `--expires` out; `--max-cost` limits a run.",
        )
    if options.device and (client.registers_client or client.requires_id_token):
        raise AccessNotSupported(
            f"`{client.provider}` offers no sign-in with a device code",
            hint=f"llm-orc auth add {client.provider} --no-browser",
        )
    if options.device:
        return DeviceLogin(client, http, visit, app.clock.now)
    return BrowserLogin(
        client,
        http,
        visit,
        app.clock.now,
        request=request_of(app, client, options.account, asks_consent=options.consent),
        keep_client=lambda client_id: keep_client(app, client, options.account, client_id),
    )


def _no_client(provider: str, method: AuthMethod) -> AccessNotSupported:
    setting = f"`providers.{provider}.oauth.client_id` in config.yaml"
    if method.notice is None:
        return AccessNotSupported(
            f"signing in at `{provider}` needs a client id of your own, and none is configured",
            hint=f"Register a public client at the provider and set {setting}; an API key needs no client"
            f" ({method.billing}).",
        )
    return AccessNotSupported(
        f"llm-orc ships no client id for `{provider}`: its terms do not let other programs offer this sign-in"
        f" ({method.notice.link}, as of {method.notice.date})",
        hint=f"{supported_way(provider)} With a client that you are entitled to use, set {setting}.",
    )


def _refuse_unusable_store(app: App) -> None:
    """Check the store before a person signs in to no avail."""
    state = open_credentials(app).state
    if not state.is_usable:
        raise CredentialStoreError(state.words, state=state.name, hint=state.hint)
