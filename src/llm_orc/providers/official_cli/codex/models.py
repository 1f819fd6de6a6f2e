"""A model catalog for `codex` that offers its models no tools.

The model catalog, not a flag, says which tools a model is offered: a shell, patches, a JavaScript runtime, other
agents. So `codex` is given its own catalog with these removed. It contains no secret.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_TOOLS: Mapping[str, object] = {
    "tool_mode": None,
    "multi_agent_version": None,
    "apply_patch_tool_type": None,
    "shell_type": "disabled",
    "experimental_supported_tools": [],
    "supports_search_tool": False,
}
_NO_WORDS: Mapping[str, object] = {
    "base_instructions": "",
    "model_messages": None,
    "include_skills_usage_instructions": False,
    "include_plugin_usage_instructions": False,
    "include_apps_usage_instructions": False,
    "upgrade": None,
    "availability_nux": None,
}


@lru_cache(maxsize=2)
def without_tools(catalog: str) -> str | None:
    """Return the catalog printed by `codex debug models --bundled`, without tools; None if it is none."""
    try:
        found = json.loads(catalog)
    except (ValueError, RecursionError):
        return None
    models = found.get("models") if isinstance(found, dict) else None
    if not isinstance(models, list) or not models or not all(isinstance(model, dict) for model in models):
        return None
    return json.dumps({"models": [_plain(model) for model in models]})


def _plain(model: Mapping[str, object]) -> dict[str, object]:
    return {**model, **_NO_TOOLS, **{name: value for name, value in _NO_WORDS.items() if name in model}}
