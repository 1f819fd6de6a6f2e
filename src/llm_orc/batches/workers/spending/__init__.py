"""The budget of a batch, of each row and of what runs within it, counted in the store by all workers."""
