"""Answers that are written to files of the working directory: where they may go, and what is written."""
