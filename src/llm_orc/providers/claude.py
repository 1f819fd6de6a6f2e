"""Claude over the Anthropic API."""

from __future__ import annotations

from llm_orc.providers.model import HttpModel


class ClaudeModel(HttpModel):
    """A Claude model with an API key; `catalog.build_model` makes one for every `anthropic` endpoint."""
