"""Errors and their hints."""
