"""Benchmarks, `python -m benchmarks.run`: costs compared with a bare client of the same HTTP library."""
