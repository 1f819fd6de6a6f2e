"""The kind of agent that runs a program: its keys, its file, how it starts, what it writes."""
