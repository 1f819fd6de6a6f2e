"""Answers that agents are given again. The store is the user's own, and may be deleted at any time."""
