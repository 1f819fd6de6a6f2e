"""`llm-orc auth`."""
