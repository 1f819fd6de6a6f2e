"""Chat, and conversations that last over runs."""
