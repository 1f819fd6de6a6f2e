"""Failures that an agent reports over the Agent Client Protocol, as typed errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import ModelNotFound, NotLoggedIn, ProviderOverloaded, RequestRejected
from llm_orc.net.text import one_line
from llm_orc.providers.limits.plan_limit import limit_of_plan
from llm_orc.providers.official_cli.lines import number_in, object_in, text_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.catalog.rows import OfficialCliRow
    from llm_orc.errors import LlmOrcError
    from llm_orc.providers.base import Target
    from llm_orc.providers.official_cli.lines import Fields

_AUTH_REQUIRED = -32000  # https://agentclientprotocol.com/protocol/initialization
_OUR_FAULT = frozenset({-32700, -32600, -32601, -32602})  # JSON-RPC 2.0, section 5.1: what we sent was wrong
_LOGGED_OUT = ("not logged in", "not authenticated", "authentication required", "unauthorized", "please log in")
_LIMITS = ("usage limit", "rate limit", "quota", "too many requests", "limit reached", "out of credits")


def failure_of(target: Target, row: OfficialCliRow, error: Fields) -> LlmOrcError:
    """Return what the `error` of a JSON-RPC answer means."""
    code = number_in(error, "code")
    words = text_in(error, "message")
    details = text_in(error, "data") or text_in(object_in(error, "data"), "details")
    said = one_line(f"{words}: {details}" if details and details not in words else words)
    lower = said.lower()
    if code == _AUTH_REQUIRED or any(sign in lower for sign in _LOGGED_OUT):
        return NotLoggedIn(
            f"`{row.command}` is not logged in" + (f": {said}" if said else ""), hint=how_to_log_in(row)
        )
    if any(sign in lower for sign in _LIMITS):
        return limit_of_plan(target, said, None)
    if code in _OUR_FAULT:
        return RequestRejected(
            f"{target} rejected the request: {said or 'no reason given'}", provider_message=said
        )
    return ProviderOverloaded(f"{target} failed: {said or 'no reason given'}", provider_message=said)


def model_not_offered(target: Target, row: OfficialCliRow, model: str, offered: Sequence[str]) -> LlmOrcError:
    """Return the error for a model that the agent does not have; `offered` is empty if it offers no choice."""
    if not offered:
        return ModelNotFound(
            f"`{row.command}` does not let its model be chosen, and {target} asks for one",
            hint=f"Remove `model: {model}`, and choose the model in the settings of `{row.command}`.",
        )
    shown = ", ".join(offered[:8]) + (f" and {len(offered) - 8} more" if len(offered) > 8 else "")
    return ModelNotFound(f"`{row.command}` has no model `{model}`", hint=f"It has: {shown}.")


def how_to_log_in(row: OfficialCliRow) -> str:
    """Return the command that logs in, or a sentence if it is not known."""
    return " ".join(row.login_command) or f"Log in with `{row.command}` itself, by hand."
