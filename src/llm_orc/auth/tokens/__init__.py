"""Tokens of OAuth sign-ins: when they expire, how they are renewed and put on requests."""
