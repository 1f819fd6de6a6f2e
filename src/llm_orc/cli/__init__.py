"""Words, prompts and exit codes. Holds no logic: it parses, calls `app` and shows."""
