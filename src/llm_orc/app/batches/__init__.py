"""Batches: plan, run, follow, administer."""
