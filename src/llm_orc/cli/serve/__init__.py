"""Commands that serve ensembles to other programs."""
