"""The table of providers, and how a row of it becomes an endpoint and a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import msgspec

from llm_orc.auth.access import Billing
from llm_orc.errors import SettingsError
from llm_orc.net.origin import origin_of
from llm_orc.providers.claude import ClaudeModel, FixedPromptModel, OAuthClaudeModel
from llm_orc.providers.dialects.anthropic import Anthropic
from llm_orc.providers.dialects.gemini import Gemini
from llm_orc.providers.dialects.openai_chat import OpenAIChat
from llm_orc.providers.dialects.openai_responses import OpenAIResponses
from llm_orc.providers.dialects.tolerant import UNREADABLE
from llm_orc.providers.endpoint import Endpoint, check_base_url, check_transport_security
from llm_orc.providers.model import HttpModel
from llm_orc.settings.model import DialectName, ProviderSettings
from llm_orc.storage.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.auth.apply import Authoriser
    from llm_orc.net.transport import Transport
    from llm_orc.providers.base import ModelInterface
    from llm_orc.providers.dialects.dialect import Dialect
    from llm_orc.providers.limits.limiter import Limiter

CredentialNeed = Literal["required", "optional", "none"]
CliName = Literal["claude-cli", "codex-cli"]
_COMPATIBLE = "openai-compatible"
_LARGEST_LIST = 8 * 2**20  # bytes; the longest known lists have less than one million
_LIST_LIMIT_S = 2.0
_KEY_HEADERS = {"anthropic": ("x-api-key", ""), "gemini": ("x-goog-api-key", "")}
_DIALECTS: dict[DialectName, Dialect] = {
    "anthropic": Anthropic(),
    "openai-chat": OpenAIChat(),
    "openai-responses": OpenAIResponses(),
    "gemini": Gemini(),
}


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """One provider: what it speaks, where it lives, what credential it wants and who pays."""

    name: str
    title: str
    dialect: DialectName
    base_url: str | None  # None: the user's configuration must say
    credential: CredentialNeed = "required"
    key_header: str = "Authorization"
    key_scheme: str = "Bearer"  # empty: the bare key is the header's value
    api_key_env: tuple[str, ...] = ()  # the first that is set counts
    billing: Billing = Billing.METERED
    is_billing_told: bool = False  # by the user's configuration, so that nothing is inferred from the address
    default_model: str | None = None
    keys_at: str = ""  # the page where a user gets a key
    cli: CliName | None = None  # the official CLI whose login can serve it
    metered_sibling: str | None = None  # who sells the same models per token: only where the user allows it


_PROVIDERS: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        name="anthropic-api",
        title="Anthropic API",
        dialect="anthropic",
        base_url="https://api.anthropic.com",
        key_header="x-api-key",
        key_scheme="",
        api_key_env=("ANTHROPIC_API_KEY",),
        default_model="claude-sonnet-5-5",
        keys_at="https://platform.claude.com/settings/keys",
    ),
    ProviderSpec(
        name="openai",
        title="OpenAI API",
        dialect="openai-responses",
        base_url="https://api.openai.com/v1",
        api_key_env=("OPENAI_API_KEY",),
        default_model="gpt-5.5",
        keys_at="https://platform.openai.com/api-keys",
    ),
    ProviderSpec(
        name="google-gemini",
        title="Google Gemini API",
        dialect="gemini",
        base_url="https://generativelanguage.googleapis.com",
        key_header="x-goog-api-key",
        key_scheme="",
        api_key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        default_model="gemini-3.8-flash",
        keys_at="https://aistudio.google.com/apikey",
    ),
    ProviderSpec(
        name="openrouter",
        title="OpenRouter",
        dialect="openai-chat",
        base_url="https://openrouter.ai/api/v1",
        api_key_env=("OPENROUTER_API_KEY",),
        default_model="openrouter/auto",
        keys_at="https://openrouter.ai/settings/keys",
    ),
    ProviderSpec(
        name="huggingface",
        title="Hugging Face Inference Providers",
        dialect="openai-chat",
        base_url="https://router.huggingface.co/v1",
        api_key_env=("HF_TOKEN",),
        default_model="openai/gpt-oss-120b",
        keys_at="https://huggingface.co/settings/tokens",
    ),
    ProviderSpec(
        name="ollama",
        title="Ollama on this machine",
        dialect="openai-chat",
        base_url="http://127.0.0.1:11434/v1",
        credential="none",
        billing=Billing.LOCAL,
    ),
    ProviderSpec(
        name=_COMPATIBLE,
        title="A server that speaks OpenAI's Chat Completions",
        dialect="openai-chat",
        base_url=None,
        credential="optional",
    ),
    ProviderSpec(
        name="sandbox",
        title="The pretend provider that `llm-orc sandbox` serves",
        dialect="openai-chat",
        base_url="http://127.0.0.1:4715/v1",
        billing=Billing.LOCAL,
        default_model="canned-small",
    ),
    ProviderSpec(
        name="anthropic-claude-pro-max",
        title="Claude Pro or Max subscription",
        dialect="anthropic",
        base_url="https://api.anthropic.com",
        billing=Billing.SUBSCRIPTION,
        default_model="claude-sonnet-5-5",
        cli="claude-cli",
        metered_sibling="anthropic-api",
    ),
    ProviderSpec(
        name="claude-cli",
        title="Claude Code's own command",
        dialect="anthropic",
        base_url=None,
        credential="none",
        billing=Billing.SUBSCRIPTION,
        cli="claude-cli",
        metered_sibling="anthropic-api",
    ),
    ProviderSpec(
        name="codex-cli",
        title="OpenAI Codex' own command",
        dialect="openai-responses",
        base_url=None,
        credential="none",
        billing=Billing.SUBSCRIPTION,
        cli="codex-cli",
        metered_sibling="openai",
    ),
)
PROVIDERS: Mapping[str, ProviderSpec] = {spec.name: spec for spec in _PROVIDERS}


def find_provider(name: str, settings: Mapping[str, ProviderSettings]) -> ProviderSpec:
    """Return the row for `name`, with what `settings` say of it put in.

    `openai-compatible/<scope>` is a compatible server of that name; a provider that only `settings` know
    needs `base_url` and `dialect`. Raises `SettingsError` for a name that nobody knows.
    """
    own = provider_settings(name, settings)
    spec = PROVIDERS.get(name)
    if spec is None and name.startswith(f"{_COMPATIBLE}/"):
        spec = replace(PROVIDERS[_COMPATIBLE], name=name)
    if spec is None and own is not None:
        spec = _user_defined(own)
    if spec is None:
        raise _unknown(name, settings)
    return spec if own is None else _with_settings(spec, own)


def endpoint_of(
    spec: ProviderSpec,
    settings: Mapping[str, ProviderSettings],
    base_url: str | None = None,
    *,
    has_credential: bool | None = None,
) -> Endpoint:
    """Return the checked address of `spec`; a profile's `base_url` comes before all others.

    `has_credential` None: as the row demands. Raises `AccessNotSupported` for a row that this version can't
    use, `SettingsError` where the address is missing, unusable, or plain http where that isn't safe.
    """
    address = base_url or spec.base_url
    if not address:
        raise SettingsError(
            f"Provider `{spec.name}` needs to know where its server is.",
            hint=f"Set `providers.{spec.name}.base_url` in config.yaml, like `http://127.0.0.1:8000/v1`.",
        )
    clean = check_base_url(address, spec.name)
    if spec.dialect == "anthropic":
        clean = clean.removesuffix("/v1")  # the dialect's paths begin with it
    own = provider_settings(spec.name, settings)
    endpoint = Endpoint(
        provider=spec.name,
        dialect=spec.dialect,
        base_url=clean,
        origin=origin_of(clean),
        headers={} if own is None else dict(own.headers),
        key_hint=_key_hint(spec),
    )
    needs = spec.credential == "required" if has_credential is None else has_credential
    check_transport_security(endpoint, has_credential=needs)
    return endpoint


def billing_of(spec: ProviderSpec, endpoint: Endpoint) -> Billing:
    """Who pays for a call: a compatible server on this machine costs nothing, unless the configuration says so."""
    if spec.credential == "optional" and endpoint.is_loopback and not spec.is_billing_told:
        return Billing.LOCAL
    return spec.billing


def build_model(
    endpoint: Endpoint,
    model: str,
    authoriser: Authoriser,
    http: Transport,
    *,
    max_retries: int = 4,
    stream: bool = False,
    required_system_prompt: str | None = None,
    limiter: Limiter | None = None,
) -> ModelInterface:
    """Return the model at `endpoint`. Raises `AuthError` where `authoriser` belongs to another origin.

    `required_system_prompt` is what the access demands in the place of an agent's own.
    """
    kind: type[HttpModel] = ClaudeModel if endpoint.dialect == "anthropic" else HttpModel
    if required_system_prompt is not None:
        kind = OAuthClaudeModel if endpoint.dialect == "anthropic" else FixedPromptModel
    dialect = _DIALECTS[endpoint.dialect]
    built = kind(
        endpoint, model, dialect, authoriser, http, max_retries=max_retries, stream=stream, limiter=limiter
    )
    if isinstance(built, FixedPromptModel) and required_system_prompt is not None:
        built.required_system_prompt = required_system_prompt
    return built


async def list_models(endpoint: Endpoint, http: Transport) -> tuple[str, ...]:
    """Ask a server that needs no credential which models it has, within two seconds.

    Raises `TransportError` where none answers; an answer that is no list of models is an empty one.
    """
    path = {"anthropic": "/v1/models", "gemini": "/v1beta/models"}.get(endpoint.dialect, "/models")
    url = endpoint.base_url + path
    answer = await http.send("GET", url, dict(endpoint.headers), limit_s=_LIST_LIMIT_S, most_bytes=_LARGEST_LIST)
    try:
        listed = msgspec.json.decode(answer.body, type=_Models) if answer.status == 200 else _Models()
    except UNREADABLE:
        return ()
    return tuple(model.id or model.name.removeprefix("models/") for model in (listed.data or listed.models or []))


class _Model(msgspec.Struct):
    id: str = ""
    name: str = ""


class _Models(msgspec.Struct):
    data: list[_Model] | None = None
    models: list[_Model] | None = None


def provider_settings(name: str, settings: Mapping[str, ProviderSettings]) -> ProviderSettings | None:
    """What configuration says of `name`; a scope that it does not mention is as all compatible servers."""
    if name not in settings and name.startswith(f"{_COMPATIBLE}/"):
        return settings.get(_COMPATIBLE)
    return settings.get(name)


def _user_defined(own: ProviderSettings) -> ProviderSpec:
    if own.base_url is None or own.dialect is None:
        missing = "base_url" if own.base_url is None else "dialect"
        raise SettingsError(
            f"Provider `{own.name}` has no `{missing}`.",
            hint=f"Set `providers.{own.name}.{missing}` in config.yaml (dialects: {', '.join(_DIALECTS)}).",
        )
    return ProviderSpec(
        name=own.name,
        title=own.name,
        dialect=own.dialect,
        base_url=own.base_url,
        credential="required" if own.api_key_env or own.api_key_file else "optional",
    )


def _with_settings(spec: ProviderSpec, own: ProviderSettings) -> ProviderSpec:
    dialect = own.dialect or spec.dialect
    if dialect != spec.dialect or spec.name not in PROVIDERS:
        header, scheme = _KEY_HEADERS.get(dialect, ("Authorization", "Bearer"))
        spec = replace(spec, dialect=dialect, key_header=header, key_scheme=scheme)
    return replace(
        spec,
        base_url=own.base_url or spec.base_url,
        api_key_env=(own.api_key_env,) if own.api_key_env else spec.api_key_env,
        default_model=own.default_model or spec.default_model,
        billing=Billing(own.billing) if own.billing else spec.billing,
        is_billing_told=own.billing is not None,
    )


def _unknown(name: str, settings: Mapping[str, ProviderSettings]) -> SettingsError:
    known = sorted({*PROVIDERS, *settings})
    near = nearest(name, known)
    hint = f"Did you mean {' or '.join(f'`{n}`' for n in near)}?" if near else f"Known are: {', '.join(known)}."
    return SettingsError(f"There is no provider `{name}`.", hint=hint)


def _key_hint(spec: ProviderSpec) -> str:
    names = " or ".join(spec.api_key_env) or f"`providers.{spec.name}.api_key_env`"
    where = f"; keys are at {spec.keys_at}" if spec.keys_at else ""
    return f"Check the key in {names}{where}."
