"""Tools that MCP servers offer."""
