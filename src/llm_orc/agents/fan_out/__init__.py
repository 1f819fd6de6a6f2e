"""`fan_out`: an agent that runs once for each item of a list. What a file says of it."""
