"""Commands that run an ensemble, and what a run looks like meanwhile."""
