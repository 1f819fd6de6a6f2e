"""The turns of a conversation as requests have them: text, calls of tools, their results, and files."""
