"""The durable record of runs. Knows not how events are made, nor how they are shown."""
