"""Examine this machine: check, doctor, status."""
