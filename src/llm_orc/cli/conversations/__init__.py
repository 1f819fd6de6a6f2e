"""`llm-orc conversations`."""
