"""What an answer has beside its text, in each protocol: calls of tools, and what goes back as it came."""
