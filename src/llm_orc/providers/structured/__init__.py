"""Answers by a schema: what of it each protocol takes, and what is said in words instead."""
