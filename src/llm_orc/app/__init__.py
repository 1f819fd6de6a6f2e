"""What one can do: run, resume, check, look back. Knows no terminal, colour or command line."""
