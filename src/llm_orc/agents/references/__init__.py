"""References in texts, `${…}`: read, resolved before anything runs, and filled in when an agent has its turn."""
