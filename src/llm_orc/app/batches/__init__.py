"""Batches: plan, carry out, follow, administer."""
