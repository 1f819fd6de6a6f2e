"""Agents with tools: the loop, what is kept of it, and how calls are carried out."""
