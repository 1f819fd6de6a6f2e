"""Configuration: read and merged, with the origin of every value. Must not know credentials."""
