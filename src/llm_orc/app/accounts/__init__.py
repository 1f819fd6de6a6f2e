"""Credentials and sign-ins: add, show, verify, end."""
