"""`samples`: an agent that is asked several times, and answers what most agree on. What a file says of it."""
