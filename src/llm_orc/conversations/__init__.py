"""What was said, kept over runs. Must not know the engine, nor how a run is recorded."""
