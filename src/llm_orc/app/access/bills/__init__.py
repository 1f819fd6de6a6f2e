"""What calls cost: the price, an estimate before a run, and the bills that a person agreed to for good."""
