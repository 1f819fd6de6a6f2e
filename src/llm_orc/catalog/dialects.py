"""The wire protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.catalog.rows import DialectName, DialectRow

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROWS = (
    DialectRow(
        name="anthropic",
        dialect="llm_orc.providers.dialects.anthropic:Anthropic",
        model="llm_orc.providers.claude:ClaudeModel",
        fixed_prompt_model="llm_orc.providers.claude:OAuthClaudeModel",
        key_header="x-api-key",
        key_scheme="",
        models_path="/v1/models",
        models_query="limit=1000",
        path_prefix="/v1",
    ),
    DialectRow(
        name="openai-chat",
        dialect="llm_orc.providers.dialects.openai_chat:OpenAIChat",
        author="openai",
    ),
    DialectRow(
        name="openai-responses",
        dialect="llm_orc.providers.dialects.openai_responses:OpenAIResponses",
        author="openai",
    ),
    DialectRow(
        name="gemini",
        dialect="llm_orc.providers.dialects.gemini:Gemini",
        key_header="x-goog-api-key",
        key_scheme="",
        models_path="/v1beta/models",
        models_query="pageSize=1000",
    ),
)
DIALECTS: Mapping[DialectName, DialectRow] = {row.name: row for row in _ROWS}
