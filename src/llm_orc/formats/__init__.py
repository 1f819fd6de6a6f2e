"""Events and results in, text out. Prints nothing."""
