"""`llm-orc batch`, `worker` and `workers`."""
