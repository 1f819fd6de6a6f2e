"""What the agents of a graph refer to, whatever their kinds: what each needs, and what it is asked is made of."""
