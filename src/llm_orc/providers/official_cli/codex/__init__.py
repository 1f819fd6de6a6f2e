"""OpenAI's Codex, `codex`."""
