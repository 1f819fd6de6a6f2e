"""Chat, and conversations across runs."""
