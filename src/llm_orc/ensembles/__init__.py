"""YAML to a valid, frozen `Ensemble`. Must not run anything or use the network."""
