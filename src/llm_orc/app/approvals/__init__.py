"""Ask people during a run: here, or later and elsewhere."""
