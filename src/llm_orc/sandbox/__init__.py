"""Pretend providers on loopback, for tests, rehearsals and machines without access: every answer is canned."""
