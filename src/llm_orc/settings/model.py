"""Settings for the rest of the program: frozen and merged, each value with its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Literal

from llm_orc.catalog.call_rules import ErrorMeaning
from llm_orc.catalog.rows import DialectName, InteractiveOnly
from llm_orc.dataclass import dataclass
from llm_orc.errors import Problem
from llm_orc.jsontypes import JsonValue
from llm_orc.net.options import NetworkSettings

Layer = Literal["packaged", "user", "project", "environment", "flag"]
BillingName = Literal["subscription", "plan-credits", "metered", "local"]
AuthMethodName = str  # "api-key", "oauth" or the name of an official CLI: `catalog.table.method_names`
TokenAsName = Literal["bearer", "api-key"]
OAuthKindName = Literal["oauth2", "openrouter"]
RedirectName = Literal["loopback", "paste"]
TokenRequestName = Literal["form", "json"]
RegistrationName = Literal["none", "at-sign-in"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written. `file` and `line` (from 1) are set if the layer is a file."""

    layer: Layer
    file: Path | None = None
    line: int = 0

    def __str__(self) -> str:
        if self.file is None or self.layer == "packaged":
            return self.layer
        return f"{self.file}:{self.line}" if self.line else str(self.file)


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """A named model with its parameters. `base_url`, `api_key_env` and `api_key_file` only from trusted files."""

    name: str
    origin: Origin
    description: str | None = None
    provider: str | None = None
    model: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    api_key_file: Path | None = None
    system_prompt: str | None = None
    timeout_s: float | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    options: dict[str, JsonValue] = field(default_factory=dict)
    cost_per_token: float | None = None
    fallback_model_profile: str | None = None
    auth_method: AuthMethodName | None = None  # None: as the provider prefers


@dataclass(frozen=True, slots=True)
class OAuthNotice:
    """What a person must know before choosing this auth method, from the provider's own terms."""

    text: str = ""
    link: str | None = None
    date: str | None = None  # ISO 8601, the date of that statement


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """How to sign in at a provider: a preset of the package, with changes from the configuration.

    The names are those of RFC 8414 and RFC 7591. `kind` `openrouter` is that provider's own exchange: PKCE without
    `state` and without a client, which ends with an API key. `headers` are sent with every call to the provider's
    API. The keys from `client_registration` to `required_scopes` make a sign-in stricter, or register its client.
    """

    kind: OAuthKindName = "oauth2"
    issuer: str | None = None
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    revocation_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    jwks_uri: str | None = None
    client_id: str | None = None
    client_registration: RegistrationName = "none"
    registration_params: Mapping[str, str] = field(default_factory=dict)  # of a sign-in that registers a client
    host_id_param: str | None = None  # carries the id of this machine
    resource: str | None = None  # RFC 8707
    requires_id_token: bool = False  # OpenID Connect
    required_scopes: tuple[str, ...] = ()  # without them, a token is of no use
    scopes: tuple[str, ...] = ()
    redirect: RedirectName = "loopback"
    redirect_uri: str | None = None  # with `paste`: the page that shows the code
    token_request: TokenRequestName = "form"  # noqa: S105 - how it is encoded, not a secret
    extra_authorize_params: Mapping[str, str] = field(default_factory=dict)
    extra_token_params: Mapping[str, str] = field(default_factory=dict)
    state_in_token_request: bool = False
    revokes_access_token: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    required_system_prompt: str | None = None
    billing: BillingName | None = None  # who pays for calls with a token; None: as for the provider
    notice: OAuthNotice | None = None
    action: str | None = None  # what a person chooses, in the provider's words
    in_use: str | None = None  # what the status says while it is in use, in the provider's words
    usage_page: str | None = None  # where its user sees and limits the usage

    @property
    def needs_client(self) -> bool:
        """True if the sign-in needs a client id."""
        return self.kind == "oauth2"


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Limits of calls to one provider with one credential. None: no limit."""

    concurrent: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class CallSettings:
    """Changes to the `CallRules` of a provider; None: as in its row. Codes in `errors` are added to the row's."""

    always_stream: bool | None = None
    leave_out: tuple[str, ...] | None = None
    caches_by_key: bool | None = None
    only_completed: bool | None = None
    errors: Mapping[str, ErrorMeaning] = field(default_factory=dict)
    own_machine_only: str | None = None
    terms_page: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """The configuration of one provider; None: as in the provider table."""

    name: str
    base_url: str | None = None
    dialect: DialectName | None = None
    api_key_env: str | None = None
    api_key_file: Path | None = None
    token_command: tuple[str, ...] = ()  # a program and its arguments; empty: none
    token_as: TokenAsName = "bearer"  # noqa: S105 - how it is sent, not a secret
    default_model: str | None = None
    billing: BillingName | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    auth_methods: tuple[AuthMethodName, ...] = ()  # the allowed ones, preferred first; empty: all available
    allow_metered_fallback: bool = False
    allow_plan_credits: bool = False  # its user's yes to a plan that may pass into credits
    acp_command: tuple[str, ...] = ()  # starts an agent that speaks the Agent Client Protocol
    interactive_only: InteractiveOnly | None = None
    extra_options: tuple[str, ...] = ()  # fields of requests that agents may set in addition to sampling options
    oauth: OAuthSettings | None = None
    calls: CallSettings = CallSettings()
    max_concurrent: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    @property
    def limits(self) -> CallLimits | None:
        """The configured limits; None: there are none."""
        limits = CallLimits(self.max_concurrent, self.requests_per_minute, self.tokens_per_minute)
        return None if limits == CallLimits() else limits


@dataclass(frozen=True, slots=True)
class McpServerSettings:
    """`mcp_servers.NAME`: either `command` or `url` is given. `env` None: passed on from the environment."""

    name: str
    origin: Origin
    description: str | None = None
    command: tuple[str, ...] = ()
    env: Mapping[str, str | None] = field(default_factory=dict)
    cwd: Path | None = None
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    token_env: str | None = None
    client_id: str | None = None  # of a sign-in; None: the server's authorisation server registers one
    scopes: tuple[str, ...] = ()  # of a sign-in; empty: those that the server asks for
    timeout_s: float = 60.0
    protocol: str | None = None


@dataclass(frozen=True, slots=True)
class ToolSettings:
    """`tools.NAME`: a program that agents may call as `run.NAME`. `parameters` is JSON Schema."""

    name: str
    origin: Origin
    description: str | None = None
    parameters: Mapping[str, JsonValue] = field(
        default_factory=lambda: {"type": "object", "additionalProperties": False}
    )
    command: tuple[str, ...] = ()
    env: Mapping[str, str | None] = field(default_factory=dict)
    cwd: Path | None = None
    timeout_s: float = 60.0
    is_idempotent: bool = False
    only_reads: bool = False


@dataclass(frozen=True, slots=True)
class WebSettings:
    """`web`: what `web.fetch` may fetch. None: any public host, after asking."""

    allowed_hosts: tuple[str, ...] | None = None
    private_hosts: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """One entry of `permissions`: `allow`, `ask`, `deny` or `allow:DIGEST`, and where it was written."""

    verdict: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class RunSettings:
    """`runs`: how runs are recorded and limited."""

    model: str | None = None  # of every agent, in place of the ensemble's; see `agents.named_models`
    profile: str | None = None  # the same, the name of a profile only
    record: bool = True
    keep_days: int | None = 90  # None: forever
    max_concurrent: int | None = None  # None: as many as open files allow
    timeout_s: float | None = None  # of a whole run
    max_retries: int = 4  # attempts after the first, for transient failures
    max_cost_usd: float | None = None  # that one run may cost over metered accesses
    max_calls: int | None = None  # attempts that one run may send, over all accesses
    max_total_tokens: int | None = None  # of input and output that one run may take, over all accesses
    max_cost_per_day_usd: float | None = None  # that all runs and batches of a day may cost over metered accesses
    wait_for_plan: bool = False  # when it is used up, until it resets
    max_cli_processes: int = 8  # of official CLIs, alive at once
    max_file_mb: float = 20.0  # of one file that a run is given


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """`batch`: where batches are kept."""

    store: str | None = None  # where batches are kept; None: a file among the user's own


@dataclass(frozen=True, slots=True)
class NotificationSettings:
    """`notifications`: how somebody is told what needs them."""

    command: tuple[str, ...] = ()  # run when a run begins to wait for a person; empty: nothing is


@dataclass(frozen=True, slots=True)
class Withheld:
    """A value in a file of an untrusted project that has no effect."""

    key: str  # dotted: "providers.openai.base_url"
    origin: Origin
    is_limit: bool = False  # it would have an effect if it were lower than the user's


@dataclass(frozen=True, slots=True)
class Project:
    """The project directory (the one that holds `.llm-orc`), and whether the user trusts it."""

    root: Path
    trusted: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """All layers merged: packaged < user < project < environment < flags."""

    profiles: Mapping[str, ModelProfile] = field(default_factory=dict)
    broken_profiles: Mapping[str, tuple[Problem, ...]] = field(
        default_factory=dict
    )  # by name; none is in `profiles`
    providers: Mapping[str, ProviderSettings] = field(default_factory=dict)
    mcp_servers: Mapping[str, McpServerSettings] = field(default_factory=dict)
    tools: Mapping[str, ToolSettings] = field(default_factory=dict)
    permissions: Mapping[str, Permission] = field(default_factory=dict)  # by the name or pattern of tools
    web: WebSettings = field(default_factory=WebSettings)
    runs: RunSettings = field(default_factory=RunSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    notifications: NotificationSettings = field(default_factory=NotificationSettings)
    project: Project | None = None
    withheld: tuple[Withheld, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)  # dotted key → where its value came from
    written: Mapping[str, JsonValue] = field(default_factory=dict)  # dotted key → the effective value
    defaults: Mapping[str, JsonValue] = field(default_factory=dict)  # dotted key → the default
    notices: tuple[Problem, ...] = ()  # ignored parts of the files

    def value(self, key: str) -> JsonValue:
        """Return the effective value of a dotted key, such as `runs.max_cost`: as written, else the default.

        The records above have the same, typed; this is for keys that only a row describes. None: nothing is set.
        """
        return self.written.get(key, self.defaults.get(key))
