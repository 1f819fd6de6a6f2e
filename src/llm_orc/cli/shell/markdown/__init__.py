"""Answers as rendered Markdown in a terminal, while they arrive."""
