"""Commands that run an ensemble, and the views of a run."""
