"""Run an ensemble: execute, resume, and the budget of a run."""
