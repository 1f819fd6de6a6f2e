"""What every command shares: streams, exit codes, options, prompts, tables."""
