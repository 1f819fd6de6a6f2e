"""Every key of `config.yaml` and `profiles/*.yaml`: one row each, by section.

A row may be added from anywhere (`SECTIONS["runs"].fields["…"] = Field(…)`); `Settings.value` then has its value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from llm_orc.catalog.dialects import DIALECTS
from llm_orc.catalog.table import method_names
from llm_orc.dataclass import dataclass
from llm_orc.net.options import NetworkSettings
from llm_orc.settings.field import Field, Fields
from llm_orc.settings.model import BillingName, RunSettings, TokenAsName
from llm_orc.settings.rows.call_fields import CALL_FIELDS, INTERACTIVE_FIELDS
from llm_orc.settings.rows.mcp_fields import MCP_FIELDS
from llm_orc.settings.rows.oauth_fields import OAUTH_FIELDS
from llm_orc.settings.rows.tool_fields import PERMISSION, TOOL_FIELDS, WEB_FIELDS
from llm_orc.settings.types.values import (
    base_url,
    command_line,
    file_path,
    headers,
    names,
    store_address,
    variable_name,
)
from llm_orc.storage.field_types import (
    boolean,
    choice,
    choice_of,
    json_mapping,
    non_empty_text,
    number,
    one_or_more_of,
    optional,
    text,
    whole_number,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SettingPath = tuple[str, ...]  # ("model_profiles", "fast", "options", "top_p")

_RUNS = RunSettings()
_NETWORK = NetworkSettings()

_PROFILE_FIELDS: Fields = {
    "description": Field(
        optional(text), "What the profile is for; `list-profiles` shows it.", "counts", is_prose=True
    ),
    "model": Field(
        optional(non_empty_text),
        "The model's id at its provider.",
        "chooses",
        default_text="the provider's default",
    ),
    "provider": Field(
        optional(non_empty_text),
        "The name of a provider.",
        "chooses",
        default_text="the best access found",
    ),
    "base_url": Field(optional(base_url), "An address in place of the provider's own."),
    "api_key_env": Field(
        optional(variable_name), "The name of the environment variable with the key, never the key."
    ),
    "api_key_file": Field(optional(file_path), "The path of a file with the key."),
    "system_prompt": Field(optional(text), "The system prompt of agents that have none.", "counts", is_prose=True),
    "timeout_seconds": Field(
        optional(number(0, above=True)),
        "The longest time for one agent, in seconds, retries included.",
        "lowers",
        default_text="none",
        attribute="timeout_s",
    ),
    "temperature": Field(
        optional(number(0)),
        "How freely the model chooses its words.",
        "counts",
        default_text="the provider's",
    ),
    "max_tokens": Field(
        optional(whole_number(1)),
        "The longest answer, in tokens.",
        "lowers",
        default_text="the provider's",
    ),
    "options": Field(
        json_mapping, "Sampling options for the provider's request; merged key by key.", is_prose=True
    ),
    "cost_per_token": Field(optional(number(0)), "US dollars per token, if the price is not known."),
    "fallback_model_profile": Field(
        optional(non_empty_text),
        "The profile to use if this one fails.",
        "chooses",
        default_text="none",
    ),
    "auth_method": Field(
        optional(choice_of(method_names)),
        "The only auth method to use.",
        "chooses",
        default_text="as the provider prefers",
    ),
}

_PROVIDER_FIELDS: Fields = {
    "base_url": Field(optional(base_url), "The address of the server, without user, password or query."),
    "dialect": Field(optional(choice(*DIALECTS)), "The wire protocol that the server speaks."),
    "api_key_env": Field(
        optional(variable_name), "The name of the environment variable with the key, never the key."
    ),
    "api_key_file": Field(optional(file_path), "The path of a file with the key."),
    "token_command": Field(
        command_line,
        "A command that writes a token: its program and arguments, run without a shell when a call needs a token.",
    ),
    "token_as": Field(
        choice(*get_args(TokenAsName)),
        "How that token is sent: as a bearer token, or in the header that the dialect has for keys.",
        default="bearer",
    ),
    "default_model": Field(optional(non_empty_text), "The model's id if nothing names one."),
    "billing": Field(optional(choice(*get_args(BillingName))), "Who pays for the calls."),
    "max_concurrent": Field(
        optional(whole_number(1)),
        "Calls in flight at once, for each credential.",
        "lowers",
        default_text="as the provider allows",
    ),
    "requests_per_minute": Field(
        optional(whole_number(1)),
        "Calls that may start in a minute, for each credential.",
        "lowers",
        default_text="as the provider allows",
    ),
    "tokens_per_minute": Field(
        optional(whole_number(1)),
        "Tokens that calls may use in a minute, for each credential.",
        "lowers",
        default_text="as the provider allows",
    ),
    "headers": Field(
        headers,
        "Added to each call; merged key by key. Credentials and the headers of HTTP itself are refused here.",
    ),
    "auth_method": Field(
        optional(one_or_more_of(method_names)),
        "The auth method, or the allowed ones, preferred first.",
        default_text="every method that is set up",
        attribute="auth_methods",
    ),
    "acp_command": Field(
        command_line,
        "Starts an agent that speaks the Agent Client Protocol, as a list of words; the provider is this agent.",
    ),
    "allow_metered_fallback": Field(
        boolean,
        "Whether calls may fall back to access that is billed per token if the plan's fails.",
        default=False,
    ),
    "allow_plan_credits": Field(
        boolean,
        "Whether calls may use a plan that passes into credits as its account allows (`billing: plan-credits`).",
        default=False,
    ),
    "interactive_only": Field(
        json_mapping,
        "Why calls are refused where no person is at the terminal; its keys are in a table below. What a built-in"
        " provider says can't be lifted.",
        fields=INTERACTIVE_FIELDS,
        is_prose=True,
    ),
    "extra_options": Field(
        names, "Fields of requests that `options` may set in addition to plain sampling options.", "never"
    ),
    "oauth": Field(
        json_mapping, "How to sign in; its keys are in the next table.", fields=OAUTH_FIELDS, is_prose=True
    ),
    "calls": Field(
        json_mapping,
        "What its calls must be like; its keys are in a table below.",
        fields=CALL_FIELDS,
        is_prose=True,
    ),
}

_RUN_FIELDS: Fields = {
    "model": Field(
        optional(non_empty_text),
        "The model of every agent, in place of the ensemble's: a profile, a provider, `PROVIDER/MODEL`"
        " or a model's name.",
        "never",
        default_text="as the ensemble says",
        variable="LLM_ORC_MODEL",
        option="--model",
    ),
    "profile": Field(
        optional(non_empty_text),
        "The same, always the name of a model profile.",
        "never",
        default_text="as the ensemble says",
        variable="LLM_ORC_PROFILE",
        option="--profile",
    ),
    "record": Field(
        boolean,
        "Whether runs are kept, for `runs` and `resume`.",
        default=_RUNS.record,
        variable="LLM_ORC_RECORD",
        option="--no-record",
    ),
    "keep_days": Field(
        optional(whole_number(1)),
        "For how many days runs are kept; empty: forever.",
        default=_RUNS.keep_days,
        variable="LLM_ORC_KEEP_DAYS",
    ),
    "max_concurrent": Field(
        optional(whole_number(1)),
        "How many agents run at once.",
        "lowers",
        default_text="as many as open files allow",
        variable="LLM_ORC_MAX_CONCURRENT",
        option="--max-concurrent",
    ),
    "timeout_seconds": Field(
        optional(number(0, above=True)),
        "The longest time for a whole run, in seconds.",
        "lowers",
        default_text="none",
        attribute="timeout_s",
        variable="LLM_ORC_TIMEOUT_SECONDS",
        option="--timeout",
    ),
    "max_retries": Field(
        whole_number(0),
        "Attempts after the first, for transient failures.",
        "lowers",
        default=_RUNS.max_retries,
        variable="LLM_ORC_MAX_RETRIES",
    ),
    "max_cost": Field(
        optional(number(0)),
        "US dollars that one run may cost over metered accesses.",
        "lowers",
        default_text="no limit",
        attribute="max_cost_usd",
        option="--max-cost",
    ),
    "max_calls": Field(
        optional(whole_number(0)),
        "Requests that one run may send to providers, retries included.",
        "lowers",
        default_text="no limit",
        option="--max-calls",
    ),
    "max_total_tokens": Field(
        optional(whole_number(0)),
        "Tokens that one run may take, of input and output together, over all accesses.",
        "lowers",
        default_text="no limit",
        option="--max-total-tokens",
    ),
    "max_cost_per_day": Field(
        optional(number(0)),
        "US dollars that all your runs, chats and batches of one day (by the local date) may cost together over"
        " metered accesses. Only your own config.yaml can set it.",
        "never",
        default_text="no limit",
        attribute="max_cost_per_day_usd",
    ),
    "wait_for_plan": Field(
        boolean,
        "Whether agents wait for a plan that is used up until it resets. Nothing dearer takes over meanwhile.",
        default=_RUNS.wait_for_plan,
        variable="LLM_ORC_WAIT_FOR_PLAN",
        option="--wait-for-plan",
    ),
    "max_cli_processes": Field(
        whole_number(1),
        "Processes of official CLIs alive at once.",
        "lowers",
        default=_RUNS.max_cli_processes,
    ),
    "max_file_mb": Field(
        number(0, above=True),
        "The largest file that a run is given, in MB (1,048,576 bytes).",
        "lowers",
        default=_RUNS.max_file_mb,
    ),
}

_BATCH_FIELDS: Fields = {
    "store": Field(
        optional(store_address),
        "Where batches are stored, e.g. `postgresql://user@host/database`.",
        default_text="your own file",
        variable="LLM_ORC_STORE",
    ),
}

_NETWORK_FIELDS: Fields = {
    "ca_file": Field(
        optional(file_path),
        "A PEM bundle of certificates, trusted in addition to the system's.",
        variable="LLM_ORC_CA_FILE",
    ),
    "connect_timeout_seconds": Field(
        number(0, above=True),
        "The longest wait for a connection.",
        default=_NETWORK.connect_timeout_s,
        attribute="connect_timeout_s",
        variable="LLM_ORC_CONNECT_TIMEOUT_SECONDS",
    ),
    "idle_timeout_seconds": Field(
        number(0, above=True),
        "The longest silence within a reply.",
        default=_NETWORK.idle_timeout_s,
        attribute="idle_timeout_s",
        variable="LLM_ORC_IDLE_TIMEOUT_SECONDS",
    ),
    "answer_timeout_seconds": Field(
        number(0, above=True),
        "The longest wait for one whole answer.",
        default=_NETWORK.answer_timeout_s,
        attribute="answer_timeout_s",
        variable="LLM_ORC_ANSWER_TIMEOUT_SECONDS",
    ),
    "max_answer_mb": Field(
        whole_number(1),
        "Megabytes that one answer may have, unpacked.",
        default=_NETWORK.max_answer_mb,
        variable="LLM_ORC_MAX_ANSWER_MB",
    ),
}

_NOTIFICATION_FIELDS: Fields = {
    "command": Field(
        command_line,
        "Run when a run begins to wait for a person, as a list of words; what is asked comes as JSON on standard"
        " input.",
        "never",
        default_text="nothing is run",
    ),
}


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping at the top of `config.yaml`; `is_named`: it holds one mapping of these keys for each name.

    `of_each`: its keys are free, and this is the row of each.
    """

    fields: Fields
    is_named: bool = False
    of_each: Field | None = None


SECTIONS: dict[str, Section] = {
    "model_profiles": Section(_PROFILE_FIELDS, is_named=True),
    "providers": Section(_PROVIDER_FIELDS, is_named=True),
    "mcp_servers": Section(MCP_FIELDS, is_named=True),
    "tools": Section(TOOL_FIELDS, is_named=True),
    "permissions": Section({}, of_each=PERMISSION),
    "web": Section(WEB_FIELDS),
    "runs": Section(_RUN_FIELDS),
    "batch": Section(_BATCH_FIELDS),
    "network": Section(_NETWORK_FIELDS),
    "notifications": Section(_NOTIFICATION_FIELDS),
}


def is_entry(path: SettingPath) -> bool:
    """True if the path ends at a name: of a profile, a provider, an MCP server or a tool."""
    return len(path) == 2 and path[0] in SECTIONS and SECTIONS[path[0]].is_named


def keys_of(path: SettingPath) -> SettingPath:
    """Return the keys of a path that are settings: without its section, and the name where that has names."""
    section = SECTIONS.get(path[0])
    return path[2:] if section is not None and section.is_named else path[1:]


def field_at(path: SettingPath) -> Field | None:
    """Return the row of a setting, for a key inside a free mapping that mapping's row; None if there is none."""
    section = SECTIONS.get(path[0])
    if section is not None and section.of_each is not None:
        return section.of_each if len(path) == 2 else None
    fields: Mapping[str, Field] = section.fields if section is not None else {}
    found = None
    for key in keys_of(path):
        if found is not None and not found.fields:
            break
        found = fields.get(key)
        if found is None:
            return None
        fields = found.fields
    return found


def plain_fields() -> Iterator[tuple[SettingPath, Field]]:
    """Yield every setting of the sections without names, with its path."""
    for name, section in SECTIONS.items():
        if not section.is_named:
            yield from (((name, key), row) for key, row in section.fields.items())
