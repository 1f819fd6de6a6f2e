"""Histories, stored across runs. Must not know the engine, or how a run is recorded."""
