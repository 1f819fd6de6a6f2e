"""This process's standard streams, and the signals that end it."""
