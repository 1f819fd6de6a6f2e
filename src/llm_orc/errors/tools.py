"""Errors of the servers that offer tools."""

from __future__ import annotations

from llm_orc.errors.base import LlmOrcError


class ToolServerError(LlmOrcError):
    """A server that offers tools, or a call of one of them."""

    code = "tool_server"
    exit_code = 5


class ToolServerFailed(ToolServerError):
    """It could not be started or reached, ended too early, or does not speak the protocol."""

    code = "tool_server_failed"


class ToolCallRefused(ToolServerError):
    """It answered a request with an error: a tool it doesn't have, arguments that are wrong."""

    code = "tool_call_refused"


class ToolServerTimedOut(ToolServerError):
    """It did not answer in time."""

    code = "tool_server_timed_out"
