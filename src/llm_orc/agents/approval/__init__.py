"""The kind of agent that asks a person: a choice, or an answer in their own words."""
