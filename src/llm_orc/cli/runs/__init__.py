"""`llm-orc runs`."""
