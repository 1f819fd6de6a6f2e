"""Conditions: a strict subset of CEL (cel.dev), with references. Read and checked before anything runs."""
