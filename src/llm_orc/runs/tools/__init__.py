"""The tools that agents of a run have called."""
