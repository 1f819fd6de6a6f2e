"""Anthropic's Claude Code, `claude`."""
