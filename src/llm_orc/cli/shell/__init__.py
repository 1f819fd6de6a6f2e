"""What all commands share: streams, exit codes, options, prompts, tables."""
