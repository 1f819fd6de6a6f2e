"""Tell a file that an earlier release would read from one that is written for this one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llm_orc.agents.references.syntax import is_special
from llm_orc.storage.suggest import slip_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.jsontypes import JsonValue

_REFERENCE = re.compile(r"\$\{([^{}\n]+)\}")
_OWN_KEYS = frozenset(
    {
        "inputs",
        "answer",
        "fails_when",
        "conversation",
        "max_cost",
        "max_calls",
        "max_total_tokens",
        "when_full",
        "profiles",
    }
)
_PLACE = frozenset(
    {
        "name",
        "depends_on",
        "fan_out",
        "input_key",
        "input_scope",
        "when",
        "on_dependency_failure",
        "timeout_seconds",
    }
)
_MODEL = frozenset(
    {
        "model_profile",
        "model",
        "provider",
        "system_prompt",
        "temperature",
        "max_tokens",
        "options",
        "fallback_model_profile",
        "output_format",
        "response_format",
    }
)
_LOOP = frozenset({"body", "until", "max_iterations", "carry"})


def is_earlier(data: Mapping[str, JsonValue]) -> bool:
    """Return whether an earlier release would read this document, and nothing in it is of this one alone.

    Earlier releases require a description, and of each agent a kind of work: with a model, a profile or a model
    and its provider.
    """
    agents = data.get("agents")
    return (
        bool(data.get("description"))
        and _OWN_KEYS.isdisjoint(data)
        and isinstance(agents, list)
        and all(isinstance(agent, dict) and _is_earlier_agent(agent) for agent in agents)
        and not any(isinstance(agent, dict) and _refers(agent, agents) for agent in agents)
    )


def _refers(agent: Mapping[str, JsonValue], agents: list[JsonValue]) -> bool:
    """Return whether its system prompt has a reference to something that there is, or almost: only this release
    has them.
    """
    prompt = agent.get("system_prompt")
    if not isinstance(prompt, str) or not is_special(prompt):
        return False
    names = [name for one in agents if isinstance(one, dict) and isinstance(name := one.get("name"), str)]
    known = [*names, "task", "inputs", "run"]
    named = {found.strip() for found in _REFERENCE.findall(prompt)}
    return any(name in known or slip_of(name.partition(".")[0], known) is not None for name in named)


def _is_earlier_agent(agent: Mapping[str, JsonValue]) -> bool:
    if not isinstance(agent.get("fan_out", False), bool):
        return False
    own = agent.keys() - _PLACE
    script, loop = agent.get("script"), agent.get("loop")
    if script is not None:
        return own <= {"script", "parameters"} and isinstance(script, str)
    if loop is not None:
        return own == {"loop"} and isinstance(loop, dict) and loop.keys() <= _LOOP
    if "dispatch" in agent:
        return own <= {"dispatch", "choices"} and isinstance(agent["dispatch"], str)
    if "ensemble" in agent:
        return own == {"ensemble"}
    return own <= _MODEL and ("model_profile" in agent or {"model", "provider"} <= own)
