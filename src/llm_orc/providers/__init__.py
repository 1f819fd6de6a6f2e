"""The services that answer. Knows no ensemble, no run, and not where a credential came from."""
