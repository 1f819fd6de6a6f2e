"""Earlier runs: find, compare, export, delete, fork."""
