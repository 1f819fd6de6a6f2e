"""The commands that answer what rows of batches ask: `batch approve`, `batch reject` and `batch answer`."""
