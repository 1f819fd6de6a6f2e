"""`llm-orc config`."""
