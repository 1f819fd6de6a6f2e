"""Plan and execute. Knows no YAML, provider, file or screen."""
