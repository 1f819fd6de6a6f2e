"""`llm-orc models`."""
