"""The types of value that only settings have."""
