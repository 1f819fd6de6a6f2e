"""`llm-orc library`."""
