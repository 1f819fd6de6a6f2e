"""The services that answer. Must not know ensembles, runs, or where a credential came from."""
