"""The OAuth standards for a native client, one module for each. No policy, no storage, no provider by name."""
