"""The kinds of agent. Must not know the plan, other agents, storage or credentials."""
