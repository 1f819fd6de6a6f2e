"""The declared inputs of an ensemble: their types, and the values that a run is given."""
