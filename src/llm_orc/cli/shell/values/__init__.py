"""Types of values on the command line."""
