"""Agents that run several times in their turn: once for each item of a list."""
