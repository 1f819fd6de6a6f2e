"""Pretend providers on loopback, for tests, rehearsals and machines with no access. Every answer says it is canned."""
