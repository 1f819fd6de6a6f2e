"""What API keys of each provider begin with, as far as that is documented or seen in every key of theirs."""

from __future__ import annotations

import re
from typing import NamedTuple


class Prefix(NamedTuple):
    """`owner` gives keys that begin so, `origin` takes them (empty: none that we know), `hint` says what to do."""

    begins: str
    owner: str
    origin: str = ""
    hint: str = "Put the key of the right provider there."


_CLAUDE_CODE = (
    "It is no API key. Export it as CLAUDE_CODE_OAUTH_TOKEN for `claude`, then: llm-orc auth add claude-cli"
)
_ANTHROPIC, _OPENAI = "https://api.anthropic.com", "https://api.openai.com"
# A longer beginning stands before one that it begins with.
PREFIXES = (
    Prefix("sk-ant-oat", "a sign-in of Claude Code", hint=_CLAUDE_CODE),
    Prefix("sk-ant-ort", "a sign-in of Claude Code", hint=_CLAUDE_CODE),
    Prefix("sk-ant-", "Anthropic", _ANTHROPIC, "llm-orc auth add anthropic-api"),
    Prefix("sk-or-", "OpenRouter", "https://openrouter.ai", "llm-orc auth add openrouter"),
    Prefix("sk-proj-", "OpenAI", _OPENAI, "llm-orc auth add openai"),
    Prefix("sk-svcacct-", "OpenAI", _OPENAI, "llm-orc auth add openai"),
    Prefix("sk-admin-", "OpenAI", _OPENAI, "llm-orc auth add openai"),
    Prefix("AIza", "Google", "https://generativelanguage.googleapis.com", "llm-orc auth add google-gemini"),
    Prefix("hf_", "Hugging Face", "https://router.huggingface.co", "llm-orc auth add huggingface"),
    Prefix("gsk_", "Groq", "https://api.groq.com"),
    Prefix("xai-", "xAI", "https://api.x.ai"),
    Prefix("pplx-", "Perplexity", "https://api.perplexity.ai"),
    Prefix("nvapi-", "NVIDIA", "https://integrate.api.nvidia.com"),
    Prefix("ghp_", "GitHub"),
    Prefix("github_pat_", "GitHub"),
    Prefix("glpat-", "GitLab"),
    Prefix("AKIA", "AWS"),
)
_VERSION = re.compile(r"(?:[a-z]{1,8}\d{1,2}|v\d)-")  # `api03-`, `oat01-`, `v1-`
_TOKEN_HEAD = re.compile(r"eyJ[A-Za-z0-9_-]+\.")  # of a JSON Web Token (RFC 7519): what signs it, and how


def prefix_of(key: str) -> Prefix | None:
    """Return what is known of keys that begin like this one."""
    return next((prefix for prefix in PREFIXES if key.startswith(prefix.begins)), None)


def known_origins() -> frozenset[str]:
    """Return the servers of which it is known what their keys begin with."""
    return frozenset(prefix.origin for prefix in PREFIXES if prefix.origin)


def public_part(key: str) -> int:
    """Return how many characters at the start of `key` tell nothing, as many keys have them."""
    if head := _TOKEN_HEAD.match(key):
        return head.end()
    prefix = prefix_of(key)
    begins = prefix.begins if prefix else "sk-" if key.startswith("sk-") else ""
    if begins.startswith("sk-ant-"):
        begins = "sk-ant-"
    version = _VERSION.match(key, len(begins)) if begins else None
    return version.end() if version else len(begins)
