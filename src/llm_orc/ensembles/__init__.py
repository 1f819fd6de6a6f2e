"""YAML to a valid, frozen `Ensemble`. Runs nothing and touches no network."""
