"""The kinds of agent. Knows no plan, no other agent, no storage and no credential."""
