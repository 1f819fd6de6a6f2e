"""Configuration: read, merged, and every value's origin known. Knows no credential."""
