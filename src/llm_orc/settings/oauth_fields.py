"""The keys below `providers.<name>.oauth`: the names of RFC 8414 and RFC 7591, and a few of our own."""

from __future__ import annotations

from typing import get_args

from llm_orc.settings.field import Field, Fields
from llm_orc.settings.model import BillingName, OAuthKindName, OAuthSettings, RedirectName, TokenRequestName
from llm_orc.settings.types.oauth import (
    SET_BY_AUTHORIZE,
    SET_BY_EXCHANGE,
    client_id,
    endpoint,
    iso_date,
    issuer,
    parameters,
    redirect_uri,
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
    "client_id": Field(optional(client_id), "The public client that you registered, or are entitled to use."),
    "scopes": Field(optional(scopes), "The scopes to request."),
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
}
