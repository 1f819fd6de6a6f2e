"""The ensembles that come along; `scripts` has the programs that they run."""
