"""Official CLIs as models: the user's own unmodified, logged-in programs."""
