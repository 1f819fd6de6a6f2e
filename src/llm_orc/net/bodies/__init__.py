"""Read the bodies of answers: within limits, and events as they arrive."""
