"""The kind of agent whose work is another ensemble."""
