"""The files that a run is given: read and checked before anything is spent, and stored."""
