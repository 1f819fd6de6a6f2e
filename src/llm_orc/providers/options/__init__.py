"""The options that agents may add to requests: one table, and its checks."""
