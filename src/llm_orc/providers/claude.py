"""Claude over the Anthropic API: with an API key, or with an OAuth token and its required system prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.providers.errors.refusals import refusal_of
from llm_orc.providers.model import HttpModel
from llm_orc.providers.roles import role_in_conversation

if TYPE_CHECKING:
    from llm_orc.errors import LlmOrcError
    from llm_orc.net.transport import Answer
    from llm_orc.providers.base import ModelRequest, Reply, ReplyObserver


class ClaudeModel(HttpModel):
    """A Claude model with an API key; `build_model` makes one for every `anthropic` endpoint."""


class FixedPromptModel(HttpModel):
    """A model whose access fixes the system prompt: roles are agreed on in the conversation."""

    required_system_prompt = ""

    async def reply(self, request: ModelRequest, observer: ReplyObserver | None = None) -> Reply:
        return await super().reply(role_in_conversation(request, self.required_system_prompt), observer)


class OAuthClaudeModel(FixedPromptModel):
    """Claude with a subscription's token. Distinguishes a refused auth method from an expired token."""

    def _failure(self, answer: Answer) -> LlmOrcError:
        words = self._dialect.words(answer.body)
        return refusal_of(answer.status, words, answer.headers, self._target) or super()._failure(answer)
