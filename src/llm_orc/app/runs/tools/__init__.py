"""The tools of one attempt at a run."""
