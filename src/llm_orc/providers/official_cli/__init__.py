"""Vendors' own command line programs as models: the user's unmodified, logged-in `claude` and `codex`."""
