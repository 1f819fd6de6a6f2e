"""The sources of tools: files below a root, pages of the web, programs, MCP servers."""
