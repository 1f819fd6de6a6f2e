"""Calls of tools: in words for people, and as JSON."""
