"""`llm-orc mcp`."""
