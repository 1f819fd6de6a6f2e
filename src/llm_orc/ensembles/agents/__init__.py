"""Lists of agents in a file: the ensemble's own, and those that stand within an agent."""
