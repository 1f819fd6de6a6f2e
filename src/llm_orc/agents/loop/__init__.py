"""The kind of agent that runs agents again until a condition holds."""
