"""Commands that show the state of things and spend nothing."""
