"""How fast a provider may be asked: set limits, what its answers tell, and its pauses."""
