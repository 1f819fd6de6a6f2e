"""Workers of a store: agents as durable steps, membership, recovery, budget."""
