"""Set up this machine: what access there is, and the first ensemble."""
