"""Which names in the place of `model` are those of providers, and which keys belong to kinds of agent to come."""

from __future__ import annotations

OTHER_KINDS_OF_AGENT = ("script", "ensemble", "loop", "dispatch", "fan_out", "input_key", "when")

# In the oldest form, `model` names one of these and there is no `provider`.
PROVIDER_NAMES = frozenset(
    {
        "anthropic-api",
        "anthropic-claude-pro-max",
        "claude-cli",
        "codex-cli",
        "google-gemini",
        "huggingface",
        "ollama",
        "openai",
        "openai-compatible",
        "openrouter",
        "sandbox",
    }
)


def names_a_provider(name: str) -> bool:
    return name in PROVIDER_NAMES or name.startswith("openai-compatible/")
