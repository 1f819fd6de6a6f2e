"""Servers on loopback that imitate providers with canned answers: for tests, rehearsals and first tries."""
