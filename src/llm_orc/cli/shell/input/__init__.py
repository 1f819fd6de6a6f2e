"""What comes in: standard input, and what is at its other end."""
