"""Commands that show how things stand, and spend nothing."""
