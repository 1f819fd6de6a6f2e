"""Tools that are programs: they get arguments as JSON on standard input, and write the result."""
