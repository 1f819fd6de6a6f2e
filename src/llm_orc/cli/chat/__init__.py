"""`llm-orc chat`."""
