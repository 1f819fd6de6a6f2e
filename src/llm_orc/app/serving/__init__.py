"""Ensembles for programs that ask over a server: which are offered, and one run for each request."""
