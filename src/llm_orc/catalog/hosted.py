"""Providers that host models behind a key, and that nothing but their rows sets apart.

`default_model` is only set where the provider documents a name that outlives a model; of the others, a user names
the model.
"""

from __future__ import annotations

from llm_orc.catalog.rows import ProviderSpec

HOSTED_ROWS: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        name="mistral",
        title="Mistral API",
        dialect="openai-chat",
        base_url="https://api.mistral.ai/v1",  # https://docs.mistral.ai/api
        api_key_env=("MISTRAL_API_KEY",),
        default_model="mistral-medium-latest",
        keys_at="https://console.mistral.ai/api-keys",
        key_owner="Mistral",
        price_id="mistral",
    ),
    ProviderSpec(
        name="groq",
        title="Groq",
        dialect="openai-chat",
        base_url="https://api.groq.com/openai/v1",  # https://console.groq.com/docs/openai
        api_key_env=("GROQ_API_KEY",),
        keys_at="https://console.groq.com/keys",
        key_owner="Groq",
        key_prefixes=("gsk_",),
        price_id="groq",
    ),
    ProviderSpec(
        name="deepseek",
        title="DeepSeek",
        dialect="openai-chat",
        base_url="https://api.deepseek.com",  # https://api-docs.deepseek.com
        api_key_env=("DEEPSEEK_API_KEY",),
        default_model="deepseek-flash",
        keys_at="https://platform.deepseek.com/api_keys",
        key_owner="DeepSeek",
        price_id="deepseek",
    ),
    ProviderSpec(
        name="xai",
        title="xAI",
        dialect="openai-chat",
        base_url="https://api.x.ai/v1",  # https://docs.x.ai
        api_key_env=("XAI_API_KEY",),
        keys_at="https://console.x.ai",
        key_owner="xAI",
        key_prefixes=("xai-",),
        price_id="x-ai",
    ),
    ProviderSpec(
        name="together",
        title="Together AI",
        dialect="openai-chat",
        base_url="https://api.together.ai/v1",  # https://docs.together.ai/docs/inference/openai-compatibility
        api_key_env=("TOGETHER_API_KEY",),
        keys_at="https://api.together.ai/settings/api-keys",
        key_owner="Together AI",
        price_id="together",
    ),
    ProviderSpec(
        name="fireworks",
        title="Fireworks AI",
        dialect="openai-chat",
        base_url="https://api.fireworks.ai/inference/v1",  # https://docs.fireworks.ai/tools-sdks/openai-compatibility
        api_key_env=("FIREWORKS_API_KEY",),
        keys_at="https://app.fireworks.ai/settings/users/api-keys",
        key_owner="Fireworks AI",
        price_id="fireworks",
    ),
    ProviderSpec(
        name="cerebras",
        title="Cerebras",
        dialect="openai-chat",
        base_url="https://api.cerebras.ai/v1",  # https://inference-docs.cerebras.ai/resources/openai
        api_key_env=("CEREBRAS_API_KEY",),
        keys_at="https://cloud.cerebras.ai",
        key_owner="Cerebras",
        key_prefixes=("csk-",),
        price_id="cerebras",
    ),
    ProviderSpec(
        name="azure-openai",
        title="Azure OpenAI (Microsoft Foundry), your own resource",
        # https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle: version 1 takes a key as a bearer
        # token and the name of a deployment as the model.
        dialect="openai-responses",
        base_url=None,
        address_like="https://YOUR-RESOURCE.openai.azure.com/openai/v1",
        api_key_env=("AZURE_OPENAI_API_KEY",),
        keys_at="https://ai.azure.com",
        key_owner="Microsoft Azure",
        price_id="azure",
    ),
)
