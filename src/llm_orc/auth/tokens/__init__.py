"""Tokens of OAuth sign-ins: when they expire, and how they are refreshed and added to requests."""
