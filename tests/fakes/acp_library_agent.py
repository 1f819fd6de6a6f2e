"""An agent built on the protocol's own Python library, which checks every message that it gets."""

from __future__ import annotations

import asyncio
from typing import Any

import acp
from acp import schema


class Agent:
    """Asks for a permission, then answers with the outcome, its model and the prompt."""

    def on_connect(self, conn: acp.interfaces.Client) -> None:
        self._client, self._model = conn, "small"

    async def initialize(self, protocol_version: int, **_: Any) -> schema.InitializeResponse:
        return schema.InitializeResponse(protocol_version=acp.PROTOCOL_VERSION)

    async def new_session(self, cwd: str, mcp_servers: list[Any] | None = None, **_: Any) -> Any:
        assert mcp_servers == []
        models = [schema.SessionConfigSelectOption(value=name, name=name) for name in ("small", "large")]
        option = schema.SessionConfigOptionSelect(
            id="model", name="Model", category="model", type="select", current_value=self._model, options=models
        )
        return schema.NewSessionResponse(session_id="s", config_options=[option])

    async def set_config_option(self, session_id: str, config_id: str, value: str | bool, **_: Any) -> Any:
        assert (session_id, config_id) == ("s", "model")
        self._model = str(value)
        return schema.SetSessionConfigOptionResponse(config_options=[])

    async def prompt(self, prompt: list[Any], session_id: str, **_: Any) -> schema.PromptResponse:
        answer = await self._client.request_permission(
            session_id=session_id,
            tool_call=schema.ToolCallUpdate(tool_call_id="t", title="look around", kind="read"),
            options=[
                schema.PermissionOption(option_id="yes", name="Yes", kind="allow_once"),
                schema.PermissionOption(option_id="no", name="No", kind="reject_once"),
            ],
        )
        words = f"{answer.outcome.outcome} {getattr(answer.outcome, 'option_id', '')} {self._model}: "
        for piece in (words, prompt[0].text):
            await self._client.session_update(
                session_id=session_id, update=acp.update_agent_message(acp.text_block(piece))
            )
        usage = schema.Usage(total_tokens=9, input_tokens=7, output_tokens=2)
        return schema.PromptResponse(stop_reason="end_turn", usage=usage)


asyncio.run(acp.run_agent(Agent()))  # type: ignore[arg-type]
