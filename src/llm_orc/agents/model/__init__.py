"""The kind of agent that asks a language model: its row, its keys, and how its models are called in turn."""
