"""The model that chooses one of several answers of an agent, and runs within it."""
