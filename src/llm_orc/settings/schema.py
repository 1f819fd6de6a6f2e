"""What may stand in `config.yaml` and `profiles/*.yaml`: every key, and what each must be.

A row that an untrusted project may set says so (`settings.rights`); every other one needs trust.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from llm_orc.settings.model import AuthMethodName, BillingName, DialectName
from llm_orc.settings.oauth_schema import NOTICE_KINDS, OAUTH_KINDS
from llm_orc.settings.rights import chooses, lowers, users_only, words
from llm_orc.settings.value_kinds import (
    KEY_HINT,
    base_url,
    file_path,
    headers,
    names,
    optional,
    store_address,
    variable_name,
)
from llm_orc.storage.yaml_fields import (
    Kind,
    boolean,
    choice,
    json_mapping,
    non_empty_text,
    number,
    one_or_more,
    text,
    whole_number,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROFILE_KINDS: Mapping[str, Kind] = {
    "model": chooses(optional(non_empty_text)),
    "provider": chooses(optional(non_empty_text)),
    "base_url": optional(base_url),
    "api_key_env": optional(variable_name),
    "api_key_file": optional(file_path),
    "system_prompt": words(optional(text)),
    "timeout_seconds": lowers(optional(number(0, above=True))),
    "temperature": words(optional(number(0))),
    "max_tokens": lowers(optional(whole_number(1))),
    "options": json_mapping,
    "cost_per_token": optional(number(0)),
    "fallback_model_profile": chooses(optional(non_empty_text)),
    "auth_method": chooses(optional(choice(*get_args(AuthMethodName)))),
}
_PROVIDER_KINDS: Mapping[str, Kind] = {
    "base_url": optional(base_url),
    "dialect": optional(choice(*get_args(DialectName))),
    "api_key_env": optional(variable_name),
    "api_key_file": optional(file_path),
    "default_model": optional(non_empty_text),
    "billing": optional(choice(*get_args(BillingName))),
    "max_concurrent": lowers(optional(whole_number(1))),
    "requests_per_minute": lowers(optional(whole_number(1))),
    "tokens_per_minute": lowers(optional(whole_number(1))),
    "headers": headers,
    "auth_method": optional(one_or_more(*get_args(AuthMethodName))),
    "allow_metered_fallback": boolean,
    "extra_options": users_only(names),
    "oauth": json_mapping,
}
_RUN_KINDS: Mapping[str, Kind] = {
    "record": boolean,
    "keep_days": optional(whole_number(1)),
    "max_concurrent": lowers(optional(whole_number(1))),
    "timeout_seconds": lowers(optional(number(0, above=True))),
    "max_retries": lowers(whole_number(0)),
    "max_cost": lowers(optional(number(0))),
    "max_calls": lowers(optional(whole_number(0))),
    "max_cli_processes": lowers(whole_number(1)),
}
_NETWORK_KINDS: Mapping[str, Kind] = {
    "ca_file": optional(file_path),
    "connect_timeout_seconds": number(0, above=True),
    "idle_timeout_seconds": number(0, above=True),
    "answer_timeout_seconds": number(0, above=True),
    "max_answer_mb": whole_number(1),
}
_BATCH_KINDS: Mapping[str, Kind] = {"store": optional(store_address)}

# Sections of named entries, and plain sections.
NAMED: Mapping[str, Mapping[str, Kind]] = {"model_profiles": _PROFILE_KINDS, "providers": _PROVIDER_KINDS}
PLAIN: Mapping[str, Mapping[str, Kind]] = {
    "runs": _RUN_KINDS,
    "batch": _BATCH_KINDS,
    "network": _NETWORK_KINDS,
}
SECTIONS = (*NAMED, *PLAIN)
PATHS = frozenset({"api_key_file", "ca_file"})  # relative ones count from the file that names them
# Mappings whose own keys merge one by one: free ones, and those with keys of their own to check.
OPEN = frozenset({"options", "headers", "extra_authorize_params", "extra_token_params"})
GROUPS: Mapping[str, Mapping[str, Kind]] = {"oauth": OAUTH_KINDS, "notice": NOTICE_KINDS}
FIELD_NAMES: Mapping[str, str] = {  # of settings whose field has its unit in its name
    "max_cost": "max_cost_usd",
    "timeout_seconds": "timeout_s",
    "connect_timeout_seconds": "connect_timeout_s",
    "idle_timeout_seconds": "idle_timeout_s",
    "answer_timeout_seconds": "answer_timeout_s",
}
# What looks like a key or a secret itself, and what to do instead.
KEY_ITSELF: Mapping[str, str] = {
    **dict.fromkeys(
        ("api_key", "apikey", "key", "token", "access_token", "auth_token", "secret", "password"), KEY_HINT
    ),
    "client_secret": "a program that everybody can read keeps no secret (RFC 8252 §8.5): register a public client",
}
