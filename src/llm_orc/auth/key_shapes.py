"""What API keys of each provider begin with, as far as that is documented or seen in every key of theirs."""

from __future__ import annotations

import re
from typing import NamedTuple


class Prefix(NamedTuple):
    """`owner` is who gives such keys, by the name of a provider of ours where there is one."""

    begins: str
    owner: str


# A longer beginning stands before one that it begins with.
PREFIXES = (
    Prefix("sk-ant-oat", "claude-cli"),  # what `claude setup-token` prints; no API key
    Prefix("sk-ant-ort", "claude-cli"),
    Prefix("sk-ant-", "anthropic-api"),
    Prefix("sk-or-", "openrouter"),
    Prefix("sk-proj-", "openai"),
    Prefix("sk-svcacct-", "openai"),
    Prefix("sk-admin-", "openai"),
    Prefix("AIza", "google-gemini"),
    Prefix("hf_", "huggingface"),
    Prefix("gsk_", "Groq"),
    Prefix("xai-", "xAI"),
    Prefix("pplx-", "Perplexity"),
    Prefix("nvapi-", "NVIDIA"),
    Prefix("ghp_", "GitHub"),
    Prefix("github_pat_", "GitHub"),
    Prefix("glpat-", "GitLab"),
    Prefix("AKIA", "AWS"),
)
_VERSION = re.compile(r"(?:[a-z]{1,8}\d{1,2}|v\d)-")  # `api03-`, `oat01-`, `v1-`
_TOKEN_HEAD = re.compile(r"eyJ[A-Za-z0-9_-]+\.")  # of a JSON Web Token (RFC 7519): what signs it, and how


def owner_of(key: str) -> str | None:
    """Return who gives keys that begin like this one, None where that is not known."""
    return next((prefix.owner for prefix in PREFIXES if key.startswith(prefix.begins)), None)


def public_part(key: str) -> int:
    """Return how many characters at the start of `key` tell nothing, as many keys have them."""
    if head := _TOKEN_HEAD.match(key):
        return head.end()
    begins = next((prefix.begins for prefix in PREFIXES if key.startswith(prefix.begins)), "")
    begins = begins or ("sk-" if key.startswith("sk-") else "")
    if begins.startswith("sk-ant-"):
        begins = "sk-ant-"
    version = _VERSION.match(key, len(begins)) if begins else None
    return version.end() if version else len(begins)
