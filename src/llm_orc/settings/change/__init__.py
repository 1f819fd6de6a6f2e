"""Change settings: keys and values as they are typed, and the file that they are written to."""
