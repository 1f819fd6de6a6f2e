"""What the program can do: run, resume, check, inspect. Must not know terminals, colours or the command line."""
