"""What each setting means, in a few words: for editors that read the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTING_WORDS: Mapping[str, Mapping[str, str]] = {
    "model_profiles": {
        "model": "The model's id at its provider; empty: the provider's default.",
        "provider": "The name of a provider; empty: the best access found.",
        "base_url": "An address in place of the provider's own. Only in trusted files.",
        "api_key_env": "The name of the environment variable with the key, never the key. Only in trusted files.",
        "api_key_file": "The path of a file with the key. Only in trusted files.",
        "system_prompt": "For agents that have none.",
        "timeout_seconds": "The longest time for one agent.",
        "temperature": "At least 0.",
        "max_tokens": "The longest answer.",
        "options": "Sampling options for the provider's request; merged key by key.",
        "cost_per_token": "US dollars, where the price is not known.",
        "fallback_model_profile": "The profile to go on with where this one fails.",
        "auth_method": "The one way in to use; empty: as the provider prefers.",
    },
    "providers": {
        "base_url": "Where the server is, without user, password or query.",
        "dialect": "The wire protocol that the server speaks.",
        "api_key_env": "The name of the environment variable with the key, never the key.",
        "api_key_file": "The path of a file with the key.",
        "default_model": "The model's id where nothing names one.",
        "billing": "Who pays for calls.",
        "max_concurrent": "Calls in flight at once, with each credential.",
        "requests_per_minute": "Calls that may start in a minute, with each credential.",
        "tokens_per_minute": "Tokens that calls may take in a minute, with each credential.",
        "headers": "Added to each call; credentials are refused here.",
        "auth_method": "The way in to use, or those allowed, the preferred one first.",
        "extra_options": "Fields of requests that `options` may set beside plain sampling options.",
        "allow_metered_fallback": "May calls go on with a way that is billed per token where the plan's fails?",
        "oauth": "How one signs in.",
    },
    "oauth": {
        "kind": "`openrouter` is that provider's own exchange, which ends with an API key.",
        "issuer": "The authorisation server; its metadata (RFC 8414) fills in endpoints that are not set.",
        "authorization_endpoint": "Where the browser goes.",
        "token_endpoint": "Where codes and refresh tokens are exchanged.",
        "revocation_endpoint": "Where a logout ends tokens (RFC 7009).",
        "device_authorization_endpoint": "Where a sign-in on another device begins (RFC 8628).",
        "client_id": "The public client that you registered, or are entitled to use.",
        "scopes": "A list, or text with spaces between.",
        "redirect": "`loopback`: the browser comes back to this machine; `paste`: it shows a code to copy.",
        "redirect_uri": "For `paste`, the registered page that shows the code.",
        "token_request": "How the body of token requests is encoded.",
        "extra_authorize_params": "Added to the browser's address.",
        "extra_token_params": "Added to token requests.",
        "state_in_token_request": "Does the server want `state` there too?",
        "headers": "Added to calls to the API with a token.",
        "required_system_prompt": "What the provider demands before an agent's own system prompt.",
        "billing": "Who pays for calls with a token.",
        "notice": "What a person must agree to first.",
    },
    "notice": {
        "text": "The words to show; without them there is no notice.",
        "link": "The page that they come from.",
        "date": 'When that page said so, like "2026-11-24".',
    },
    "runs": {
        "record": "Keep runs, for `runs` and `resume`. Default: true.",
        "keep_days": "For how long; empty: for ever. Default: 90.",
        "max_concurrent": "How many agents are asked at once; empty: as many as open files allow.",
        "timeout_seconds": "The longest time for a whole run; empty: none.",
        "max_retries": "Tries after the first, for what is transient. Default: 4.",
        "max_cost": "US dollars that one run may cost over metered accesses; empty: no limit.",
        "max_calls": "Requests that one run may send to providers, retries included; empty: no limit.",
        "max_cli_processes": "Processes of official CLIs alive at once. Default: 8.",
    },
    "batch": {
        "store": "Where batches are kept: `postgresql://user@host/database`, or a file. Only in trusted files.",
    },
    "network": {
        "ca_file": "A PEM bundle, trusted beside the system's.",
        "connect_timeout_seconds": "Default: 15.",
        "idle_timeout_seconds": "The longest silence within a reply. Default: 600.",
        "answer_timeout_seconds": "The longest wait for one whole answer, however lively. Default: 3600.",
        "max_answer_mb": "Megabytes that one answer may have, unpacked. Default: 64.",
    },
}
