"""Tools that read, list and search files below a root."""
