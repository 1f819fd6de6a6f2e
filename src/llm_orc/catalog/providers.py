"""The providers. Keys that begin with a longer prefix of another row belong to that row."""

from __future__ import annotations

from dataclasses import replace

from llm_orc.catalog.chatgpt import CHATGPT_CALLS
from llm_orc.catalog.hosted import HOSTED_ROWS
from llm_orc.catalog.plan_keys import PLAN_KEY_ROWS
from llm_orc.catalog.rows import Billing, ProviderSpec

PROVIDER_ROWS: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        name="anthropic-api",
        title="Anthropic API",
        dialect="anthropic",
        base_url="https://api.anthropic.com",
        caches_prompts=True,
        api_key_env=("ANTHROPIC_API_KEY",),
        default_model="claude-sonnet-5-5",
        keys_at="https://platform.claude.com/settings/keys",
        key_owner="Anthropic",
        key_prefixes=("sk-ant-",),
        price_id="anthropic",
        profiles_of="ant",
    ),
    ProviderSpec(
        name="openai",
        title="OpenAI API",
        dialect="openai-responses",
        base_url="https://api.openai.com/v1",
        caches_prompts=True,
        api_key_env=("OPENAI_API_KEY",),
        default_model="gpt-5.5",
        keys_at="https://platform.openai.com/api-keys",
        key_owner="OpenAI",
        key_prefixes=("sk-proj-", "sk-svcacct-", "sk-admin-"),
        shared_prefixes=("sk-",),  # keys of before 2024
        price_id="openai",
    ),
    ProviderSpec(
        name="google-gemini",
        title="Google Gemini API",
        dialect="gemini",
        base_url="https://generativelanguage.googleapis.com",
        caches_prompts=True,
        api_key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        default_model="gemini-3.8-flash",
        keys_at="https://aistudio.google.com/apikey",
        key_owner="Google",
        # https://ai.google.dev/gemini-api/docs/api-key: AI Studio makes only keys with `AQ.` since 2026.
        key_prefixes=("AIza", "AQ."),
        price_id="google",
    ),
    ProviderSpec(
        name="openrouter",
        title="OpenRouter",
        dialect="openai-chat",
        base_url="https://openrouter.ai/api/v1",
        api_key_env=("OPENROUTER_API_KEY",),
        default_model="openrouter/auto",
        keys_at="https://openrouter.ai/settings/keys",
        key_owner="OpenRouter",
        key_prefixes=("sk-or-",),
        proof_path="/key",  # its list of models is open to everybody
        price_id="openrouter",
        # https://openrouter.ai/docs/guides/overview/auth/oauth.md: open to everybody, without registration.
        oauth={
            "kind": "openrouter",
            "authorization_endpoint": "https://openrouter.ai/auth",
            "token_endpoint": "https://openrouter.ai/api/v1/auth/keys",
            "token_request": "json",
            "billing": "metered",
        },
    ),
    ProviderSpec(
        name="huggingface",
        title="Hugging Face Inference Providers",
        dialect="openai-chat",
        base_url="https://router.huggingface.co/v1",
        api_key_env=("HF_TOKEN",),
        default_model="openai/gpt-oss-120b",
        keys_at="https://huggingface.co/settings/tokens",
        key_owner="Hugging Face",
        key_prefixes=("hf_",),
        proof_path=None,  # its list of models is open to everybody
        # https://huggingface.co/docs/hub/oauth: public clients are welcome; register one and set its `client_id`.
        oauth={
            "issuer": "https://huggingface.co",
            "authorization_endpoint": "https://huggingface.co/oauth/authorize",
            "token_endpoint": "https://huggingface.co/oauth/token",
            "device_authorization_endpoint": "https://huggingface.co/oauth/device",
            "scopes": ["inference-api"],
            "billing": "metered",
        },
    ),
    *HOSTED_ROWS,
    *PLAN_KEY_ROWS,
    ProviderSpec(
        name="ollama",
        title="Ollama on this machine",
        dialect="openai-chat",
        base_url="http://127.0.0.1:11434/v1",
        credential="none",
        billing=Billing.LOCAL,
        start_hint="install it (https://ollama.com), get a model, e.g. `ollama pull qwen3`",
    ),
    ProviderSpec(
        name="openai-compatible",
        title="A server that speaks OpenAI's Chat Completions",
        dialect="openai-chat",
        base_url=None,
        credential="optional",
        is_offered=False,
    ),
    ProviderSpec(
        name="sandbox",
        title="The sandbox, served by `llm-orc sandbox`",
        dialect="openai-chat",
        base_url="http://127.0.0.1:4715/v1",
        billing=Billing.LOCAL,
        default_model="canned-small",
        is_offered=False,
        oauth={
            "issuer": "http://127.0.0.1:4715",
            "client_id": "llm-orc-sandbox-client",
            "scopes": ["inference"],
            "billing": "local",
        },
    ),
    ProviderSpec(
        name="sandbox-plan",
        title="The sandbox as a plan, served by `llm-orc sandbox`",
        dialect="openai-responses",
        base_url="http://127.0.0.1:4715/v1",
        billing=Billing.LOCAL,
        default_model="canned-small",
        is_offered=False,
        oauth={
            "issuer": "http://127.0.0.1:4715",
            "client_id": "sandbox-new-client",
            "client_registration": "at-sign-in",
            "registration_params": {"agent_name_hint": "llm-orc"},
            "host_id_param": "ext_agent_host_id",
            "resource": "http://127.0.0.1:4715/v1",
            "requires_id_token": True,
            "scopes": ["openid", "profile", "email", "offline_access", "inference"],
            "required_scopes": ["inference"],
            "redirect_uri": "http://127.0.0.1/auth/callback",
            "revokes_access_token": False,
            "billing": "local",
            "action": "Continue with the pretend plan",
            "in_use": "Using the pretend plan",
        },
        calls=replace(
            CHATGPT_CALLS, own_machine_only="it imitates a plan that allows nothing else", terms_page=""
        ),
    ),
    ProviderSpec(
        name="chatgpt",
        title="ChatGPT Plus or Pro plan",
        dialect="openai-responses",
        base_url="https://api.openai.com/v1",
        billing=Billing.PLAN_CREDITS,
        default_model="gpt-5.5",
        metered_sibling="openai",
        sibling_models="gpt-",
        # https://developers.openai.com/siwc/token-sharing-open-source/sign-in (2026-11): for open-source programs
        # that run locally. Nobody registers in advance: an account's first sign-in registers a client of its own.
        oauth={
            "issuer": "https://auth.openai.com",
            "authorization_endpoint": "https://auth.openai.com/api/accounts/authorize",
            "token_endpoint": "https://auth.openai.com/api/accounts/oauth/token",
            "client_id": "dynamic_agent_client",  # of no program: what every first sign-in starts with
            "client_registration": "at-sign-in",
            "registration_params": {"agent_name_hint": "llm-orc"},
            "host_id_param": "ext_agent_host_id",
            "resource": "https://api.openai.com/v1",
            "requires_id_token": True,
            "scopes": [
                "openid",
                "profile",
                "email",
                "offline_access",
                "resource.invoke",
                "chatgpt.tokens.use.direct",
            ],
            "required_scopes": ["chatgpt.tokens.use.direct"],
            "redirect_uri": "http://127.0.0.1/auth/callback",
            "revokes_access_token": False,
            "billing": "plan-credits",
            "notice": {
                "text": "Runs will use your ChatGPT Plus or Pro plan, within the same limits as ChatGPT and all"
                " other programs that you have connected. OpenAI offers this to open-source programs on your own"
                " machine. Beyond the plan, credits are used only if you allow that for llm-orc. On the page below"
                " you see the usage, set a weekly limit, and disconnect llm-orc.",
                "link": "https://chatgpt.com/settings/usage",
                "date": "2026-11-27",
            },
            "action": "Continue with ChatGPT",
            "in_use": "Using ChatGPT plan",
            "usage_page": "https://chatgpt.com/settings/usage",
        },
        calls=CHATGPT_CALLS,
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
        sibling_models="claude-",  # the program knows short names (`sonnet`) that the API does not
        # No `client_id`: Anthropic does not let other programs use that of Claude Code.
        oauth={
            "authorization_endpoint": "https://claude.ai/oauth/authorize",
            "token_endpoint": "https://console.anthropic.com/v1/oauth/token",
            "scopes": ["org:create_api_key", "user:profile", "user:inference"],
            "redirect": "paste",
            "redirect_uri": "https://console.anthropic.com/oauth/code/callback",
            "token_request": "json",
            "state_in_token_request": True,
            "extra_authorize_params": {"code": "true"},
            "headers": {"anthropic-beta": "oauth-2025-04-20"},
            "required_system_prompt": "You are Claude Code, Anthropic's official CLI for Claude.",
            "billing": "subscription",
            "notice": {
                "text": "Anthropic's terms do not permit third-party developers to offer Claude.ai login in their"
                " own applications, or to route requests through Free, Pro or Max plan credentials on behalf of"
                " their users. Go on only with a client that you yourself are entitled to use. Anthropic may"
                " refuse such requests, and may act against the account without notice.",
                "link": "https://code.claude.com/docs/en/legal-and-compliance",
                "date": "2026-10-06",
            },
        },
    ),
)
