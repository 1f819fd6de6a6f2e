"""Files of batches: their contents in the store."""
