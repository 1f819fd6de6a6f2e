"""Plan and execute. Must not know YAML, providers, files or screens."""
