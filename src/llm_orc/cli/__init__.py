"""The command line: text, prompts and exit codes. Contains no logic: it parses, calls `app` and shows."""
