"""Tools: the servers that are configured, and their connections."""
