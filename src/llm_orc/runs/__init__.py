"""The durable record of runs. Must not know how events are produced or shown."""
