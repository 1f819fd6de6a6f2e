"""`providers.<name>.oauth`: what may stand there, what is refused and where, and who may set it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llm_orc.errors import SettingsError
from llm_orc.settings.load import read_guarded, trust_file
from llm_orc.settings.model import OAuthNotice, OAuthSettings
from llm_orc.settings.trust import SETTINGS, TrustStore

if TYPE_CHECKING:
    from tests.settings.conftest import Place

COMPLETE = """\
providers:
  acme:
    base_url: https://api.acme.example/v1
    dialect: openai-chat
    auth_method: oauth
    allow_metered_fallback: true
    oauth:
      kind: oauth2
      issuer: https://id.acme.example/tenant
      authorization_endpoint: https://id.acme.example/authorize?tenant=1
      token_endpoint: https://id.acme.example/token
      revocation_endpoint: https://id.acme.example/revoke
      device_authorization_endpoint: https://id.acme.example/device
      jwks_uri: https://id.acme.example/keys
      client_id: our-client
      client_registration: at-sign-in
      registration_params: {agent_name: ours}
      host_id_param: machine
      resource: https://api.acme.example/v1
      requires_id_token: true
      scopes: [chat, models]
      required_scopes: [chat]
      redirect: paste
      redirect_uri: https://id.acme.example/code
      token_request: json
      extra_authorize_params: {code: "true", prompt: consent}
      extra_token_params: {audience: api}
      state_in_token_request: true
      revokes_access_token: false
      headers: {acme-beta: one}
      required_system_prompt: You are Acme.
      billing: subscription
      notice: {text: Read this., link: https://acme.example/terms, date: "2026-10-06"}
      action: Continue with Acme
      in_use: Using your Acme plan
      usage_page: https://acme.example/usage
"""


def oauth_of(place: Place, name: str = "acme") -> OAuthSettings:
    found = place.load().providers[name].oauth
    assert found is not None
    return found


def said_of(place: Place, oauth: str) -> str:
    """What is said of `providers.acme.oauth`, written as a flow mapping."""
    file = place.user(f"providers:\n  acme:\n    oauth: {oauth}\n")
    with pytest.raises(SettingsError) as caught:
        place.load()
    assert f"{file}:3:" in str(caught.value)
    return str(caught.value)


def test_a_provider_s_oauth_is_described_without_code(place: Place) -> None:
    place.user(COMPLETE)

    provider = place.load().providers["acme"]

    assert provider.auth_methods == ("oauth",)
    assert provider.allow_metered_fallback is True
    assert provider.oauth == OAuthSettings(
        kind="oauth2",
        issuer="https://id.acme.example/tenant",
        authorization_endpoint="https://id.acme.example/authorize?tenant=1",
        token_endpoint="https://id.acme.example/token",
        revocation_endpoint="https://id.acme.example/revoke",
        device_authorization_endpoint="https://id.acme.example/device",
        jwks_uri="https://id.acme.example/keys",
        client_id="our-client",
        client_registration="at-sign-in",
        registration_params={"agent_name": "ours"},
        host_id_param="machine",
        resource="https://api.acme.example/v1",
        requires_id_token=True,
        scopes=("chat", "models"),
        required_scopes=("chat",),
        redirect="paste",
        redirect_uri="https://id.acme.example/code",
        token_request="json",
        extra_authorize_params={"code": "true", "prompt": "consent"},
        extra_token_params={"audience": "api"},
        state_in_token_request=True,
        revokes_access_token=False,
        headers={"acme-beta": "one"},
        required_system_prompt="You are Acme.",
        billing="subscription",
        notice=OAuthNotice("Read this.", "https://acme.example/terms", "2026-10-06"),
        action="Continue with Acme",
        in_use="Using your Acme plan",
        usage_page="https://acme.example/usage",
    )


def test_a_provider_without_oauth_has_none(place: Place) -> None:
    place.user("providers: {acme: {base_url: 'https://a.example', dialect: gemini}}")

    provider = place.load().providers["acme"]

    assert provider.oauth is None
    assert (provider.auth_methods, provider.allow_metered_fallback) == ((), False)


def test_layers_merge_key_by_key_and_an_empty_value_takes_back_a_preset_s(place: Place) -> None:
    place.user(
        "providers:\n  anthropic-claude-pro-max:\n    oauth:\n      client_id: mine\n      redirect_uri: "
        "http://127.0.0.1:9/code\n      scopes: user:inference\n      extra_authorize_params: {login_hint: me}\n"
        "      token_request:\n      notice: {text: }\n"
    )

    oauth = oauth_of(place, "anthropic-claude-pro-max")

    assert oauth.client_id == "mine"
    assert oauth.redirect_uri == "http://127.0.0.1:9/code"
    assert oauth.scopes == ("user:inference",)
    assert oauth.extra_authorize_params == {"code": "true", "login_hint": "me"}
    assert oauth.token_request == "form"
    assert oauth.notice is None
    assert oauth.token_endpoint == "https://console.anthropic.com/v1/oauth/token"


@pytest.mark.parametrize(
    "url",
    ["https://id.example/a", "http://127.0.0.1:8123/a", "http://[::1]:8123/a", "https://id.example:8443/a?b=c"],
)
def test_endpoints_are_https_or_on_this_machine_by_its_address(place: Place, url: str) -> None:
    place.user(f"providers: {{acme: {{oauth: {{issuer: 'https://id.example', token_endpoint: '{url}'}}}}}}")

    assert oauth_of(place).token_endpoint == url


@pytest.mark.parametrize(
    "key",
    ["issuer", "authorization_endpoint", "token_endpoint", "revocation_endpoint", "device_authorization_endpoint"],
)
@pytest.mark.parametrize("url", ["http://id.example", "http://localhost:1", "http://127.0.0.1.example", "ftp://a"])
def test_an_endpoint_elsewhere_without_https_is_refused(place: Place, key: str, url: str) -> None:
    said = said_of(place, f"{{{key}: '{url}'}}")

    assert f"`{key}` must be an `https://` address; plain `http://` is for `127.0.0.1` and `[::1]` only" in said


@pytest.mark.parametrize(
    ("oauth", "said"),
    [
        ("{issuer: 'https://me:hunter2@id.example'}", "`issuer` must be without a user name or password"),
        ("{issuer: 'https://id.example?a=b'}", "`issuer` must be without a `?` part"),
        ("{issuer: 'https://id.example/#x'}", "`issuer` must be an address like `https://host/path`"),
        ("{issuer: 'https://id.example:x'}", "`issuer` must be an address like"),
        ("{issuer: nowhere}", "`issuer` must be an address like"),
        ("{isuer: 'https://id.example'}", "has no key `isuer` (Did you mean `issuer`?)"),
        (
            "{host_id_param: state}",
            "`host_id_param` must be the name of a parameter that the sign-in itself does not",
        ),
        ("{resource: mailto}", "`resource` must be an address like `https://host/path`"),
        (
            "{requires_id_token: true, token_endpoint: 'https://a.example', authorization_endpoint: 'https://a.example'}",
            "requires ID tokens, and does not say who issues them",
        ),
        ("{redirect: hosted}", "`redirect` must be `loopback` or `paste`"),
        ("{token_request: xml}", "`token_request` must be `form` or `json`"),
        ("{kind: oauth1}", "`kind` must be `oauth2` or `openrouter`"),
        ("{billing: free}", "`billing` must be `subscription`, `plan-credits`, `metered` or `local`"),
        ("{redirect_uri: 'http://id.example/cb'}", "`redirect_uri` must be an `https://` address"),
        ("{client_id: ''}", "`client_id` must be printable ASCII text that is not empty"),
        ("{client_id: 5}", "`client_id` must be text, not a number (Put it in quotes.)"),
        ("{scopes: {a: b}}", "`scopes` must be a list of scopes, not a mapping"),
        ("{scopes: ['a b']}", "`scopes` must be a list of scopes: printable ASCII without spaces"),
        ("{extra_authorize_params: {state: x}}", "must be free of `state`, which the sign-in itself sets"),
        ("{extra_token_params: {client_secret: x}}", "must be free of `client_secret`"),
        ("{extra_token_params: {a: true}}", "`a` is true or false (Put it in quotes.)"),
        ("{headers: {authorization: x}}", "`authorization` looks like one"),
        ("{state_in_token_request: 'yes'}", "`state_in_token_request` must be `true` or `false`"),
        ("{notice: {text: a, date: yesterday}}", "`date` must be a date like `2026-11-24`"),
        ("{notice: {text: a, link: 'http://a.example'}}", "`link` must be an `https://` address"),
        ("{notice: {words: a}}", "`providers.acme.oauth.notice` has no key `words`"),
        ("{notice: read}", "`notice` must be a mapping, not text"),
        ("everything", "`oauth` must be a mapping, not text"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_place(place: Place, oauth: str, said: str) -> None:
    words = said_of(place, oauth)

    assert said in words
    assert "hunter2" not in words


def test_a_client_s_secret_is_refused_with_the_reason(place: Place) -> None:
    said = said_of(place, "{issuer: 'https://id.example', client_secret: hunter2}")

    assert "`providers.acme.oauth` has no key `client_secret`" in said
    assert "register a public client" in said
    assert "hunter2" not in said


def test_paste_needs_the_page_that_shows_the_code(place: Place) -> None:
    said = said_of(place, "{issuer: 'https://id.example', redirect: paste}")

    assert "`redirect: paste` but no `redirect_uri`" in said


@pytest.mark.parametrize(
    "oauth",
    [
        "{client_id: mine}",
        "{token_endpoint: 'https://id.example'}",
        "{authorization_endpoint: 'https://id.example'}",
    ],
)
def test_it_must_be_known_where_one_signs_in(place: Place, oauth: str) -> None:
    assert "`providers.acme.oauth` does not say where to sign in" in said_of(place, oauth)


def test_another_issuer_than_a_preset_s_takes_none_of_its_endpoints(place: Place) -> None:
    place.user(
        "providers: {huggingface: {oauth: {issuer: 'http://127.0.0.1:9', revocation_endpoint: 'http://127.0.0.1:9/r'}}}"
    )

    oauth = oauth_of(place, "huggingface")

    assert (oauth.issuer, oauth.revocation_endpoint) == ("http://127.0.0.1:9", "http://127.0.0.1:9/r")
    assert "huggingface.co" not in str(oauth)


def test_a_preset_s_endpoint_can_be_changed_alone(place: Place) -> None:
    place.user("providers: {huggingface: {oauth: {token_endpoint: 'https://gateway.example/token'}}}")

    oauth = oauth_of(place, "huggingface")

    assert oauth.token_endpoint == "https://gateway.example/token"
    assert oauth.authorization_endpoint == "https://huggingface.co/oauth/authorize"


@pytest.mark.parametrize("first", ["authorization_endpoint", "device_authorization_endpoint"])
def test_without_an_issuer_two_endpoints_are_enough(place: Place, first: str) -> None:
    place.user(
        f"providers: {{acme: {{oauth: {{{first}: 'https://a.example', token_endpoint: 'https://b.example'}}}}}}"
    )

    assert oauth_of(place).issuer is None


def test_a_project_that_nobody_trusts_changes_no_sign_in(place: Place) -> None:
    place.in_project(
        "providers:\n  sandbox:\n    auth_method: api-key\n    allow_metered_fallback: true\n"
        "    oauth: {issuer: 'https://evil.example', notice: {text: harmless}, extra_token_params: {a: b}}\n"
    )

    settings = place.load()

    assert "evil" not in str(settings.providers)
    assert settings.providers["sandbox"].allow_metered_fallback is False
    assert {withheld.key for withheld in settings.withheld} == {
        "providers.sandbox.auth_method",
        "providers.sandbox.allow_metered_fallback",
        "providers.sandbox.oauth.issuer",
        "providers.sandbox.oauth.notice.text",
        "providers.sandbox.oauth.extra_token_params.a",
    }


def test_a_changed_sign_in_of_a_trusted_project_asks_again(place: Place) -> None:
    file = place.in_project("providers: {acme: {oauth: {issuer: 'https://id.example'}}}")
    guarded = read_guarded(place.paths, place.project, {"HOME": str(place.home)})
    assert guarded is not None
    TrustStore(trust_file(place.paths)).trust(guarded.root, {SETTINGS: guarded.digest})
    assert oauth_of(place).issuer == "https://id.example"

    file.write_text(file.read_text().replace("id.example", "evil.example"))

    assert "acme" not in place.load().providers
