"""The keys below `providers.<name>.oauth`: the names of RFC 8414 and RFC 7591, and a few of our own."""

from __future__ import annotations

from typing import get_args

from llm_orc.settings.field import Field, Fields
from llm_orc.settings.model import (
    BillingName,
    OAuthKindName,
    OAuthSettings,
    RedirectName,
    RegistrationName,
    TokenRequestName,
)
from llm_orc.settings.types.oauth import (
    SET_BY_AUTHORIZE,
    SET_BY_EXCHANGE,
    client_id,
    endpoint,
    iso_date,
    issuer,
    parameter_name,
    parameters,
    redirect_uri,
    resource,
    scopes,
    web_page,
)
from llm_orc.settings.types.values import headers
from llm_orc.storage.field_types import boolean, choice, json_mapping, optional, text

_USUAL = OAuthSettings()

NOTICE_FIELDS: Fields = {
    "text": Field(optional(text), "The text to show; without it there is no notice.", is_prose=True),
    "link": Field(optional(web_page), "The page that the text comes from."),
    "date": Field(optional(iso_date), "The day on which that page said so."),
}

OAUTH_FIELDS: Fields = {
    "kind": Field(
        optional(choice(*get_args(OAuthKindName))),
        "`openrouter` is that provider's own exchange, which ends with an API key.",
        default=_USUAL.kind,
    ),
    "issuer": Field(
        optional(issuer),
        "The authorisation server; its metadata (RFC 8414) fills in endpoints that are not set.",
    ),
    "authorization_endpoint": Field(optional(endpoint), "Where the browser goes."),
    "token_endpoint": Field(optional(endpoint), "Where codes and refresh tokens are exchanged."),
    "revocation_endpoint": Field(optional(endpoint), "Where a logout revokes tokens (RFC 7009)."),
    "device_authorization_endpoint": Field(
        optional(endpoint), "Where a sign-in on another device starts (RFC 8628)."
    ),
    "jwks_uri": Field(optional(endpoint), "Where the keys are that sign ID tokens (RFC 7517)."),
    "client_id": Field(optional(client_id), "The public client that you registered, or are entitled to use."),
    "client_registration": Field(
        optional(choice(*get_args(RegistrationName))),
        "`at-sign-in`: an account's first sign-in registers a client of its own, whose id comes with the redirect"
        " and is kept; `client_id` is then what a first sign-in starts with.",
        default=_USUAL.client_registration,
    ),
    "registration_params": Field(
        parameters(SET_BY_AUTHORIZE),
        "Added to the browser's address where the sign-in registers a client; merged key by key.",
    ),
    "host_id_param": Field(
        optional(parameter_name),
        "The parameter of the browser's address that carries this machine's id: a random `urn:uuid:…`, made once.",
    ),
    "resource": Field(
        optional(resource),
        "The service that tokens are for (RFC 8707), sent with the browser's address and every token request.",
    ),
    "requires_id_token": Field(
        optional(boolean),
        "Whether a sign-in needs an ID token (OpenID Connect). Its signature (RS256), issuer, audience, `nonce`"
        " and expiry are checked.",
        default=_USUAL.requires_id_token,
    ),
    "scopes": Field(optional(scopes), "The scopes to request."),
    "required_scopes": Field(
        optional(scopes), "Those without which a token is of no use: a sign-in that lacks one is not used."
    ),
    "redirect": Field(
        optional(choice(*get_args(RedirectName))),
        "`loopback`: the browser is redirected to this machine; `paste`: it shows a code to copy.",
        default=_USUAL.redirect,
    ),
    "redirect_uri": Field(
        optional(redirect_uri),
        "For `paste`, the registered page that shows the code; for `loopback`, only if the server requires one"
        " exact address.",
    ),
    "token_request": Field(
        optional(choice(*get_args(TokenRequestName))),
        "How the body of token requests is encoded.",
        default=_USUAL.token_request,
    ),
    "extra_authorize_params": Field(
        parameters(SET_BY_AUTHORIZE), "Added to the browser's address; merged key by key."
    ),
    "extra_token_params": Field(parameters(SET_BY_EXCHANGE), "Added to token requests; merged key by key."),
    "state_in_token_request": Field(
        optional(boolean),
        "Whether the server requires `state` in token requests too.",
        default=_USUAL.state_in_token_request,
    ),
    "revokes_access_token": Field(
        optional(boolean),
        "Whether a logout also revokes the access token, or only the refresh token, with which it ends.",
        default=_USUAL.revokes_access_token,
    ),
    "headers": Field(headers, "Added to calls to the API with a token; merged key by key."),
    "required_system_prompt": Field(
        optional(text), "What the provider requires before an agent's own system prompt.", is_prose=True
    ),
    "billing": Field(
        optional(choice(*get_args(BillingName))),
        "Who pays for calls with a token.",
        default_text="as for the provider",
    ),
    "notice": Field(
        json_mapping,
        "What a person must agree to first; its keys are in the next table.",
        fields=NOTICE_FIELDS,
        is_prose=True,
    ),
    "action": Field(
        optional(text),
        "What a person chooses, in the provider's words.",
        default_text="Sign in with the browser",
        is_prose=True,
    ),
    "in_use": Field(
        optional(text),
        "What `auth status` says of a sign-in that runs use, in the provider's words.",
        is_prose=True,
    ),
    "usage_page": Field(optional(web_page), "Where its user sees and limits the usage: shown as `Manage usage`."),
}
