"""What to do about a provider that nobody knows: the nearest names, and how to describe one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llm_orc.catalog.dialects import DIALECTS
from llm_orc.catalog.not_offered import not_offered
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,40}")  # a key that YAML takes without quotes


def why_unknown(name: str) -> str:
    """Return what follows "there is no provider NAME": the reason, where it is left out on purpose."""
    left_out = not_offered(name)
    return "" if left_out is None else f": {left_out.why} ({left_out.link}, as of {left_out.date})"


def what_to_do(name: str, known: Collection[str]) -> str:
    """Return the hint for an unknown name: the nearest of `known`, and the lines that describe a provider."""
    left_out = not_offered(name)
    if left_out is not None:
        lines = f"\n{_description(name, left_out.base_url)}" if left_out.base_url else ""
        return f"{left_out.instead}{lines}"
    near = did_you_mean(name, known) or f"Known are: {', '.join(sorted(known))}."
    return f"{near} Another one is described in config.yaml, for example:\n{_description(name)}"


def _description(name: str, base_url: str = "https://HOST/v1") -> str:
    shown = name if _PLAIN.fullmatch(name) else "NAME"
    variable = re.sub(r"\W", "_", shown).upper()
    lines = (
        "providers:",
        f"  {shown}:",
        f"    dialect: openai-chat  # or {', '.join(dialect for dialect in DIALECTS if dialect != 'openai-chat')}",
        f"    base_url: {base_url}",
        f"    api_key_env: {variable}_API_KEY",
        "    default_model: MODEL",
    )
    return "\n".join(f"  {line}" for line in lines)
