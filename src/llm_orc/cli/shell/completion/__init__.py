"""Completion by the shell: the scripts, and the answers to what they ask."""
