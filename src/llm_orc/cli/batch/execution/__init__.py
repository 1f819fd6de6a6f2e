"""Carrying out a batch: consent, progress, results, and how it ends."""
