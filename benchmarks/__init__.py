"""What things cost: `python -m benchmarks.run`. Measured against a bare client of the same HTTP library."""
